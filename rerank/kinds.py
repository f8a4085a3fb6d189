"""Registers the built-in kinds of rerankers, by importing the modules that define them.

Help texts and errors list the kinds in the order of these imports.
"""

from __future__ import annotations

from .cross_encoder import config as cross_encoder
from .encoded import stored
from .encoded import late
from .encoded import tilde
from .pointwise import reranker as pointwise
from .pairwise import reranker as pairwise
from .listwise import reranker as listwise
from .criteria import reranker as criteria
from .intra_document import config as intra_document
from . import diversity
from . import chain
from . import fake
