"""What becomes of an image before it is shown: files, pictures and arrays as red, green and blue of 8 bits."""

from __future__ import annotations

import re
from os import PathLike
from pathlib import Path
from typing import Any, BinaryIO

from brainmark.core.errors import InvalidStimuli
from brainmark.core.libraries import Image, np

MID_GREY = 128  # 127.5 rounded: the level of the screen where no stimulus is
_DEEP = re.compile(r"(?P<mode>\w+);16(?P<order>[LBN])")  # how Pillow calls pixels of 16 bits in a file


def decode_image(source: Path | BinaryIO) -> np.ndarray:
    """Return the pixels of an image file, uint8 (height, width, 3), sRGB, as they lie in the file.

    Grey, palette, 1-bit and CMYK images are converted, 16 bits are scaled (Pillow would cut them), transparency shows
    the mid-grey screen, and of several frames the first counts. A note on how the camera was held (EXIF orientation)
    and colour profiles are not applied, as by the programs that show stimuli in experiments.

    Raises
    ------
    FileNotFoundError : no such file.
    InvalidStimuli : it is damaged, cut short or no image.
    """
    try:
        with Image.open(source) as image:
            how = _DEEP.fullmatch(_how_stored(image))
            if how is None or how["mode"] == "I":
                return as_rgb(image)
            return as_rgb(_decode_deep(source, image, how))
    except FileNotFoundError:
        raise
    except InvalidStimuli:
        raise
    except Exception as error:  # Pillow's decoders raise many types: OSError, SyntaxError, ValueError, struct.error ...
        raise InvalidStimuli(f"{type(error).__name__}: {error}") from error


def as_rgb(image: Any) -> np.ndarray:
    """Return an image as uint8 (height, width, 3).

    Accepts Pillow pictures, and arrays or tensors: grey (H, W) or (H, W, 1), grey with alpha (H, W, 2), RGB and RGBA,
    in uint8, uint16 (scaled by 1/257) or bool. Transparency is composed onto the mid-grey screen.

    Raises
    ------
    InvalidStimuli : a path, masked pixels, another shape or dtype (for floats the scale, 0-1 or 0-255, would be a
        guess).
    """
    if isinstance(image, str | bytes | PathLike):
        raise InvalidStimuli(f"an image is an array, not a {type(image).__name__}; give files as ImageFiles(paths)")
    if isinstance(image, Image.Image):
        return _convert_picture(image)
    check_mask(image)
    pixels = np.asarray(image)
    if pixels.dtype == np.bool_:
        pixels = pixels.astype(np.uint8) * np.uint8(255)
    if pixels.dtype.kind != "u" or pixels.dtype.itemsize > 2:
        raise InvalidStimuli(
            f"an image is uint8 (or uint16, bool), not {pixels.dtype}; convert it to 0-255 first, e.g. "
            "(255 * image).round().astype(np.uint8) if it runs from 0 to 1"
        )
    if pixels.ndim == 2:
        pixels = pixels[..., None]
    if pixels.ndim != 3 or pixels.shape[2] not in (1, 2, 3, 4) or 0 in pixels.shape:
        last = pixels.ndim == 3 and pixels.shape[0] in (1, 3, 4)
        hint = "; channels come last: image.transpose(1, 2, 0)" if last else ""
        raise InvalidStimuli(f"an image has shape (height, width[, 1 to 4 channels]), not {pixels.shape}{hint}")
    return np.broadcast_to(_compose(pixels), (*pixels.shape[:2], 3))


def check_mask(medium: Any) -> None:
    """Refuse an array of NumPy whose mask hides values: a model would be shown what is under the mask.

    Raises
    ------
    InvalidStimuli : says how many values are hidden.
    """
    if isinstance(medium, np.ndarray) and np.ma.is_masked(medium):
        hidden = int(np.ma.count_masked(medium))
        raise InvalidStimuli(
            f"a stimulus of shape {medium.shape} has a mask that hides {hidden} of {medium.size} values: fill them "
            "(numpy.ma.filled) with what was shown there"
        )


def _compose(pixels: np.ndarray) -> np.ndarray:
    """Return pixels (height, width, 1 to 4) of 8 or 16 bits as 8 bits without transparency."""
    full = np.iinfo(pixels.dtype).max
    colours, alpha = (pixels[..., :-1], pixels[..., -1:]) if pixels.shape[2] in (2, 4) else (pixels, None)
    if alpha is not None and (alpha != full).any():
        opaque = alpha.astype(np.float64 if full > 255 else np.float32) / full
        return np.rint(colours * (255 / full) * opaque + MID_GREY * (1 - opaque)).astype(np.uint8)
    return colours if full == 255 else ((colours.astype(np.uint32) + 128) // 257).astype(np.uint8)


def _convert_picture(image: Image.Image) -> np.ndarray:
    """Return a Pillow picture of any mode. Raises InvalidStimuli for pixels of unknown scale."""
    if image.mode == "F":
        raise InvalidStimuli("pixels are real numbers of no known scale; save them as 8 or 16 bits")
    if image.mode == "I" and image.format not in ("PNG", "PPM"):  # which are read as such, and have 16 bits
        raise InvalidStimuli("pixels are 32-bit integers of no known scale; save them as 8 or 16 bits")
    if image.mode.startswith("I"):
        grey = np.clip(np.asarray(image, np.int64), 0, 65535).astype(np.uint16)[..., None]
        return as_rgb(_make_transparent(grey, image))
    if image.mode == "La":
        image = image.convert("LA")
    if image.has_transparency_data:
        screen = Image.new("RGBA", image.size, (MID_GREY, MID_GREY, MID_GREY, 255))
        screen.alpha_composite(image.convert("RGBA"))
        return np.asarray(screen.convert("RGB"))
    return np.asarray(image if image.mode == "RGB" else image.convert("RGB"))


def _how_stored(image: Image.Image) -> str:
    """Return what Pillow calls the arrangement of pixels in a file that is not decoded yet: ``RGB;16B``, for one."""
    tiles = getattr(image, "tile", None)
    given: Any = tiles[0][3] if tiles else ""
    return str(given[0] if isinstance(given, tuple) and given else given)


def _decode_deep(source: Path | BinaryIO, image: Image.Image, how: re.Match[str]) -> np.ndarray:
    """Return colours of 16 bits (height, width, 2 to 4), of which Pillow decodes the upper byte alone.

    The lower bytes are decoded by saying that the bytes lie in the other order.
    """
    mode = how["mode"]
    if mode not in ("RGB", "RGBA", "LA"):
        raise InvalidStimuli(f"pixels are {mode} of 16 bits; save them as grey, RGB or RGBA, or with 8 bits")
    if mode == "LA":  # no other order is known; but four bytes are those of an RGBA pixel
        bytes_ = _decode_as(source, "RGBA", "RGBA").astype(np.uint16)
        return bytes_[..., 0::2] * 256 + bytes_[..., 1::2]
    other = "L" if how["order"] == "B" else "B"
    upper, lower = np.asarray(image).astype(np.uint16), _decode_as(source, f"{mode};16{other}").astype(np.uint16)
    return _make_transparent(upper * 256 + lower, image)


def _decode_as(source: Path | BinaryIO, how: str, mode: str | None = None) -> np.ndarray:
    """Return the pixels of a file, whose bytes are taken to be arranged as said."""
    if not isinstance(source, Path):
        source.seek(0)
    with Image.open(source) as image:
        if mode:
            image._mode = mode  # pyright: ignore[reportPrivateUsage]
        image.tile = [
            tile._replace(args=(how, *tile.args[1:]) if isinstance(tile.args, tuple) else how) for tile in image.tile
        ]
        return np.asarray(image)


def _make_transparent(pixels: np.ndarray, image: Image.Image) -> np.ndarray:
    """Return pixels with an alpha channel if the picture has a colour that stands for transparency."""
    colour = image.info.get("transparency")
    if colour is None or pixels.shape[2] in (2, 4):
        return pixels
    alpha = (pixels != np.array(colour)).any(2, keepdims=True).astype(pixels.dtype) * np.uint16(65535)
    return np.concatenate([pixels, alpha], axis=2)
