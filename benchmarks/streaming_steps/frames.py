"""The frames of seed20, which a project has beside its steps."""

from __future__ import annotations

from seed20_frames import frame as frame
