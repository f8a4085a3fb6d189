"""The kinds of codec and of projection that come with Twindex: an import registers them."""

from __future__ import annotations

from . import config as config
