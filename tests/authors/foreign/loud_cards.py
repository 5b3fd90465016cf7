"""A plugin of a plugin: a style for the exporter `cards`."""

from dlm_core import hookimpl


@hookimpl
def dlm_card_styles():
    return ["{front} -> {back}!!"]
