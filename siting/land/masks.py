"""Masks of layers and vector rules on the whole frame, each worked out once, compressed, and kept by content.

The key of a stored mask is a hash of what decides its bits: the geometries and attributes the rule reads, the rule's
own numbers, the frame, and the code and library that draw it. A study with one changed setback finds all other masks.
"""

from __future__ import annotations

import hashlib
import os
import pickle
import uuid
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cache, partial
from pathlib import Path

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import shapely

from layers.contracts import VectorLayer
from layers.frame import Frame
from layers.mask_store import MaskStore
from layers.submask import QUAD_SEGS, rasterize_store
from siting.contracts import Rule
from siting.rules.masks import finish_mask, mask_key, rule_shapes

_WHOLE_CELL_KINDS = ("cell_share", "cell_share_below", "vector_outside")
"""Kinds whose mask differs from the cover of their shapes."""
_ONE_BY_ONE_KINDS = ("vector", *_WHOLE_CELL_KINDS)
_FEATURES_AT_A_TIME = 1024
_KEPT_FILES = 200
_HASH_BYTES = 32
_CODE = (
    "layers/submask.py", "layers/submask_kernels.py", "layers/mask_store.py", "layers/mask_store_kernels.py",
    "siting/rules/masks.py",
)  # fmt: skip
_PARALLEL_LAYERS = 2

Layers = Mapping[str, VectorLayer]
Done = Callable[[], None]


def layer_rule(layer: str) -> Rule:
    """The plain cover of a layer, as a rule without setback."""
    return Rule("", "", "", layer, ())


@dataclass(frozen=True)
class MaskCache:
    """Masks below ``folder``, one file each; the least recently used ones go when there are many."""

    folder: Path

    def load(self, key: str) -> MaskStore | None:
        """The stored mask, None where there is none; a damaged file is removed."""
        path = self._path(key)
        try:
            content = path.read_bytes()
            if hashlib.sha256(content[_HASH_BYTES:]).digest() != content[:_HASH_BYTES]:
                raise ValueError("the content does not have the hash that it was stored with")
            store = pickle.loads(content[_HASH_BYTES:])
        except FileNotFoundError:
            return None
        except Exception:
            path.unlink(missing_ok=True)
            return None
        os.utime(path)
        return store if isinstance(store, MaskStore) else None

    def save(self, key: str, store: MaskStore) -> None:
        """Store a mask, whole or not at all."""
        self.folder.mkdir(parents=True, exist_ok=True)
        content = pickle.dumps(store, protocol=5)
        partial = self.folder / f".{key}.{uuid.uuid4().hex}"
        try:
            partial.write_bytes(hashlib.sha256(content).digest() + content)
            os.replace(partial, self._path(key))
        finally:
            partial.unlink(missing_ok=True)

    def prune(self, keep: int = _KEPT_FILES) -> None:
        """Keep the ``keep`` most recently used masks."""
        files = sorted(self.folder.glob("*.mask"), key=lambda p: p.stat().st_mtime, reverse=True)
        for path in files[keep:]:
            path.unlink(missing_ok=True)

    def _path(self, key: str) -> Path:
        return self.folder / f"{key}.mask"


def build_masks(
    rules: Sequence[Rule],
    layers: Layers,
    frame: Frame,
    *,
    workers: int,
    mask_cache: Path | None = None,
    done: Done = lambda: None,
) -> dict[Hashable, MaskStore]:
    """Land that each rule's layer excludes, by :func:`siting.rules.masks.mask_key`.

    Parameters
    ----------
    rules
        Vector rules; those with one key are worked out once.
    layers
        Layers by id.
    frame
    workers
        Threads; the masks do not depend on it.
    mask_cache
        Folder that holds masks from run to run; None: none is kept.
    done
        Called after each mask.
    """
    wanted = {mask_key(rule): rule for rule in rules}
    stored = MaskCache(mask_cache) if mask_cache is not None else None
    hashes = _LayerHashes(layers)

    def one(rule: Rule) -> MaskStore:
        key = mask_hash(rule, hashes, frame) if stored is not None else ""
        found = stored.load(key) if stored is not None else None
        if found is None or found.shape != frame.shape:
            found = _draw(rule, layers, frame, 1 if len(wanted) > 1 else workers)
            if stored is not None:
                stored.save(key, found)
        done()
        return found.freeze()

    with ThreadPoolExecutor(min(workers, _PARALLEL_LAYERS)) as pool:
        masks = dict(zip(wanted, pool.map(one, wanted.values()), strict=True))
    if stored is not None:
        stored.prune()
    return masks


def _draw(rule: Rule, layers: Layers, frame: Frame, workers: int) -> MaskStore:
    finish = partial(finish_mask, rule) if rule.kind in _WHOLE_CELL_KINDS else None
    return rasterize_store(_shapes(rule, layers), frame, workers=workers, finish=finish)


def _shapes(rule: Rule, layers: Layers) -> Iterator[npt.NDArray[np.object_]]:
    """Shapes of a rule, some features at a time where each feature acts on its own."""
    layer = layers[rule.layer]
    if rule.kind not in _ONE_BY_ONE_KINDS or len(layer.features) <= _FEATURES_AT_A_TIME:
        yield rule_shapes(rule, layers)
        return
    for k in range(0, len(layer.features), _FEATURES_AT_A_TIME):
        part = replace(layer, features=layer.features.iloc[k : k + _FEATURES_AT_A_TIME])
        yield rule_shapes(rule, {**layers, rule.layer: part})


def mask_hash(rule: Rule, hashes: _LayerHashes, frame: Frame) -> str:
    """Hash of all that decides the bits of a rule's mask; the layer's name does not."""
    content = [hashes.of(rule.layer, *{rule.class_column if rule.classes else "", _setback_column(rule)} - {""})]
    if rule.features_of:
        content.append(hashes.of(rule.features_of))
    key = mask_key(rule)
    numbers = key[1:] if isinstance(key, tuple) else ()  # the layer's name comes first
    place = (frame.crs, frame.resolution_m, frame.left, frame.top, frame.height, frame.width)
    return hashlib.sha256(repr((rule.kind, numbers, content, place, QUAD_SEGS, _code())).encode()).hexdigest()[:40]


def _setback_column(rule: Rule) -> str:
    return rule.setback_column if rule.setback_rows else ""


class _LayerHashes:
    """Hashes of geometries and attributes, each worked out once."""

    def __init__(self, layers: Layers) -> None:
        self._layers = layers
        self._known: dict[tuple[str, ...], str] = {}

    def of(self, layer: str, *columns: str) -> str:
        key = (layer, *sorted(columns))
        if key not in self._known:
            self._known[key] = _features_hash(self._layers[layer].features, sorted(columns))
        return self._known[key]


def _features_hash(features: gpd.GeoDataFrame, columns: Sequence[str]) -> str:
    shapes = features.geometry.to_numpy()
    kind, xy, offsets = _flat(shapes)
    total = hashlib.sha256(repr((len(shapes), kind)).encode())
    for array in (xy, *offsets):
        total.update(np.ascontiguousarray(array).data)
    for column in columns:
        total.update("\x1f".join(f"{type(v).__name__}:{v}" for v in features[column]).encode())
    return total.hexdigest()


def _flat(shapes: np.ndarray) -> tuple[str, np.ndarray, tuple[np.ndarray, ...]]:
    """All coordinates and where each part begins; WKB where the kinds of geometry are mixed."""
    try:
        kind, xy, offsets = shapely.to_ragged_array(shapes)
    except ValueError:
        wkb = shapely.to_wkb(shapes)
        lengths = np.array([-1 if item is None else len(item) for item in wkb])
        return "wkb", np.frombuffer(b"".join(item for item in wkb if item is not None), np.uint8), (lengths,)
    return str(kind), xy, tuple(offsets or ())


@cache
def _code() -> tuple[str, ...]:
    root = Path(__file__).resolve().parents[2]
    hashes = [hashlib.sha256((root / name).read_bytes()).hexdigest() for name in _CODE]
    return (*hashes, shapely.__version__, shapely.geos_version_string)
