"""The front door for people: whole networks from plain arguments.

The training code of a task imports that task's own modules instead, so that a change of one network does not train the
other's cells again.
"""

from cenbench.nn.parameters import count_parameters
from cenbench.nn.patchgan import build_discriminator
from cenbench.nn.segmenter import build_segmenter
from cenbench.nn.unet import build_generator

__all__ = ["build_discriminator", "build_generator", "build_segmenter", "count_parameters"]
