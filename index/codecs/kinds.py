"""The kinds of codec and of projection that come with Twindex: who is imported is registered."""

from __future__ import annotations

from . import config as config
