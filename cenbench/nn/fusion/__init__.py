"""The fusion methods, one file each; the file's name is the method's (`self_att.py`: `self-att`).

A file declares in literals what the matrix reads without importing torch (`cenbench.matrix.methods`):

    LABEL       its name in tables
    ACTS        "points": at the fusion points of a network; the file then defines `Operator`, a `FusionOperator`
                "norms": after the constrained norms, on channels with a scaling factor below theta or under FIXED_MASK
                "nowhere": the modalities run in parallel
    MERGES      whether it can merge the modalities into one stream
    INPUTS      (fewest, most) modalities it accepts; most None: any number
    PARAMETERS  optional: name -> {"default": number, "min": number, "max": number}, the bounds optional, or "above" and
                "below" for bounds that are not allowed themselves; rows set them with `override: {fusion: ...}`, and
                `Operator` or `mask` is given all of them by name
    FIXED_MASK  optional, for "norms": True if it exchanges under a fixed mask; the file then defines
                `mask(modalities, channels, **parameters)`, an (M, C) bool tensor drawn once per norm

A method needs nothing else but a row in `params/`. The conformance suite (tests/test_nn_fusion.py) finds it by itself.
"""
