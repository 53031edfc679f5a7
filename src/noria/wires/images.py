"""A generated image, whichever way its provider says it."""

from __future__ import annotations

from noria.core.messages import ImagePart, OtherPart, Part
from noria.wires.data_urls import write_data_url


def image_of(part: Part) -> ImagePart | None:
    """The image that a part of an answer is; None for other parts.

    Responses' item of a generated image is kept whole, because its own wire wants it back with its id.
    """
    match part:
        case ImagePart():
            return part
        case OtherPart(data={"type": "image_generation_call", "result": str(data), **more}):
            kind = more.get("output_format")
            return ImagePart(url=write_data_url(f"image/{kind if isinstance(kind, str) else 'png'}", data))
    return None
