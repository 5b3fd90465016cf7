"""Where the block `training: newplugin:` is mounted."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dlm_core.api import ConfigBlock

if TYPE_CHECKING:
    from pydantic import BaseModel


class NewPluginBlock(ConfigBlock):
    path = "training.newplugin"

    def model(self) -> type[BaseModel]:
        from .settings import Settings

        return Settings
