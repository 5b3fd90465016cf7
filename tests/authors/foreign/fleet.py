"""Base models: a list of what an organisation trains on."""

from dlm_core import hookimpl
from dlm_core.api import BaseModel


@hookimpl
def dlm_base_models():
    for size, parameters in (("small", 135_000_000), ("large", 1_700_000_000)):
        yield BaseModel(
            key=f"fleet-{size}",
            location=f"hub:fleet/{size}",
            revision="v2",
            parameters=parameters,
            context=8192,
            license="Apache-2.0",
            summary=f"the {size} one",
            recommended={"training.num_epochs": 5},
        )
