"""The fusion methods, one file each; the file's name is the method's (`self_att.py`: `self-att`).

A file declares in literals what the matrix reads without importing torch (`cenbench.matrix.methods`):

    LABEL   what tables call it
    ACTS    "points": at the fusion points of a network, then it defines `Operator`, a `FusionOperator`;
            "norms": behind the constrained norms; "nowhere": modalities run in parallel
    MERGES  whether one stream can go on after it
    INPUTS  (fewest, most) modalities it is for; most None: any number

That is all there is to a method: a file here, and a row in `params/`. The conformance suite
(tests/test_nn_fusion.py) finds it by itself.
"""
