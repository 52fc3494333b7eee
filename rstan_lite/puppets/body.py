"""Clothes and bodies: turns a skeleton into drawable parts."""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.random import Generator

from .painting import Array, Capsule, Colour, Part, Sheet, table, tint
from .skeleton import SIDE, Skeleton

EYES: Colour = (35, 28, 28)


@dataclass(frozen=True)
class Wardrobe:
    """What a person looks like. sleeves: 0 none, 1 short, 2 long; legs: trousers, shorts, skirt."""

    skin: Colour
    hair: Colour
    shirt: Colour
    trim: Colour
    trousers: Colour
    shoes: Colour
    haircut: str
    sleeves: int
    legs: str
    print_: str
    girth: float

    @classmethod
    def draw(cls, rng: Generator, long_hair: bool = False) -> Self:
        """Pick clothes, skin, hair and build at random."""
        looks = table("looks")
        clothes = looks["clothes"]
        shirt, trim = (clothes[i] for i in rng.choice(len(clothes), 2, replace=False))
        haircut = ("short", "short", "long", "tail", "cap", "bald")[rng.integers(6)]
        haircut = "long" if long_hair else haircut
        palettes = (looks[name] for name in ("skins", "hairs", "trousers", "shoes"))
        skin, hair, trousers, shoes = (colours[rng.integers(len(colours))] for colours in palettes)
        sleeves = int(rng.integers(3))
        legs = ("trousers", "trousers", "shorts", "skirt")[rng.integers(4)]
        printed = ("plain", "stripes", "chest", "stripes")[rng.integers(4)]
        worn = skin, hair, shirt, trim, trousers, shoes, haircut, sleeves, legs, printed
        return cls(*worn, float(rng.uniform(0.9, 1.18)))


def build(s: Skeleton, look: Wardrobe) -> list[Part]:
    """Dress a skeleton; the parts count for the silhouette."""
    parts = [_torso(s, look), *_head(s, look)]
    for i, side in enumerate("rl"):
        parts += _leg(s, look, side)
        parts += _arm(s, look, side, i)
    if look.legs == "skirt":
        parts.append(_skirt(s, look))
    for part in parts:
        part.body = True
    return parts


def _leg(s: Skeleton, look: Wardrobe, side: str) -> list[Part]:
    hip, knee, ankle, toe = (s[f"{side}_{name}"] for name in ("hip", "knee", "ankle", "toe"))
    g = look.girth
    bare = look.legs != "trousers"
    thigh = look.skin if look.legs == "skirt" else look.trousers
    shin = look.skin if bare else look.trousers
    limb = [
        Capsule(knee, ankle, 0.036 * g, 0.023 * g if bare else 0.028 * g, shin),
        Capsule(hip, knee, 0.06 * g, 0.041 * g, thigh),
    ]
    heel = ankle - 0.012 * s.along("pelvis", (1, 0, 0)) - np.array([0.0, 0.014, 0.0])
    shoe = Part((ankle + toe) / 2, [Capsule(heel, toe, 0.026, 0.018, look.shoes)])
    return [Part((hip + knee + ankle) / 3, limb), shoe]


def _arm(s: Skeleton, look: Wardrobe, side: str, i: int) -> list[Part]:
    names = ("shoulder", "elbow", "wrist", "fingers")
    shoulder, elbow, wrist, fingers = (s[f"{side}_{name}"] for name in names)
    g = look.girth
    upper = look.skin if look.sleeves == 0 else look.shirt
    lower = look.shirt if look.sleeves == 2 else look.skin
    limb = [Capsule(elbow, wrist, 0.029 * g, 0.021 * g, lower)]
    if look.sleeves == 1:  # the sleeve ends above the elbow
        middle = shoulder * 0.4 + elbow * 0.6
        limb.append(Capsule(shoulder, elbow, 0.035 * g, 0.029 * g, look.skin))
        limb.append(Capsule(shoulder, middle, 0.041 * g, 0.039 * g, look.shirt))
    else:
        limb.append(Capsule(shoulder, elbow, 0.04 * g, 0.031 * g, upper))
    palm = wrist * 0.45 + fingers * 0.55
    side_ward = s.along("chest", (0.35, 0.1, -SIDE[i] * 0.6))
    hand = [
        Capsule(wrist, fingers, 0.021, 0.017, look.skin),
        Capsule(palm, palm + 0.03 * side_ward, 0.012, 0.01, look.skin),
    ]
    arm = Part(shoulder * 0.3 + elbow * 0.4 + wrist * 0.3, limb, bias=0.01)
    return [arm, Part(fingers, hand, bias=0.02)]


def _torso(s: Skeleton, look: Wardrobe) -> Part:
    g = look.girth
    rs, ls, rh, lh = s["r_shoulder"], s["l_shoulder"], s["r_hip"], s["l_hip"]
    neck, pelvis = s["neck"], s["pelvis"]
    inner = [(a * 0.85 + neck * 0.15) for a in (rs, ls)]
    waist = [a * 0.75 + b * 0.25 for a, b in ((rh, inner[0]), (lh, inner[1]))]
    chest = neck * 0.72 + pelvis * 0.28
    shirt = look.shirt
    shapes = [
        Capsule(rh, lh, 0.06 * g, 0.06 * g, look.trousers),
        Capsule(inner[0], waist[0], 0.05 * g, 0.05 * g, shirt),
        Capsule(inner[1], waist[1], 0.05 * g, 0.05 * g, shirt),
        Capsule(chest, pelvis + (neck - pelvis) * 0.12, 0.088 * g, 0.072 * g, shirt),
    ]
    sheets = [Sheet(np.stack([inner[0], inner[1], waist[1], waist[0]], 1), shirt)]
    if look.print_ == "stripes":
        for share in (0.1, 0.35, 0.6, 0.85):
            a, b = (p * (1 - share) + q * share for p, q in zip(inner, waist, strict=True))
            a, b = (p + s.along("chest", (0.045, 0, 0)) for p in (a, b))
            shapes.append(Capsule(a, b, 0.011, 0.011, look.trim, shaded=False))
    elif look.print_ == "chest":
        front, across = chest + s.along("chest", (0.07, 0, 0)), s.along("chest", (0.0, 0.0, 0.035))
        a, b = front - across, front + across
        shapes.append(Capsule(a, b, 0.024, 0.024, look.trim, shaded=False))
    return Part((neck + pelvis) / 2, shapes, sheets)


def _skirt(s: Skeleton, look: Wardrobe) -> Part:
    pelvis = s["pelvis"]
    knees = [s["r_hip"] * 0.25 + s["r_knee"] * 0.75, s["l_hip"] * 0.25 + s["l_knee"] * 0.75]
    colour = tint(look.trousers, 1.25)
    shapes = [Capsule(pelvis, knee, 0.082 * look.girth, 0.07, colour) for knee in knees]
    middle = (knees[0] + knees[1]) / 2
    shapes.append(Capsule(pelvis, middle, 0.08 * look.girth, 0.075, colour))
    return Part(pelvis, shapes, bias=0.07)


def _head(s: Skeleton, look: Wardrobe) -> list[Part]:
    face, neck = s["face"], s["neck"]
    up, ahead, right = (s.along("head", v) for v in ((0, 1.0, 0), (1.0, 0, 0), (0, 0, 1.0)))
    skin, hair = look.skin, look.hair
    parts = [
        Part(neck, [Capsule(neck - 0.02 * up, face - 0.03 * up, 0.032, 0.03, tint(skin, 0.88))]),
        Part(face, [Capsule(face - 0.022 * up, face + 0.02 * up, 0.05, 0.058, skin)], bias=0.005),
    ]
    crown = face - 0.014 * ahead + 0.028 * up

    def add(anchor: Array, bias: float, *capsule: Any) -> None:
        parts.append(Part(anchor, [Capsule(*capsule)], bias=bias))

    if look.haircut == "bald":
        add(crown, -0.02, crown, crown, 0.06, 0.06, tint(skin, 0.97))
    else:
        colour = look.trim if look.haircut == "cap" else hair
        back, fringe = face - 0.03 * ahead, face + 0.018 * ahead + 0.052 * up
        add(back, -0.012, crown, back, 0.066, 0.058, hair)
        add(fringe, 0.012, crown + 0.022 * up, fringe, 0.047, 0.03, colour)
    if look.haircut == "cap":
        brim = face + 0.085 * ahead + 0.04 * up
        add(brim, 0.014, fringe - 0.01 * up, brim, 0.02, 0.012, colour)
    if look.haircut == "long":
        low = neck - 0.055 * ahead - 0.05 * up
        middle = (crown + low) / 2 - 0.03 * ahead
        add(middle, -0.02, crown - 0.03 * ahead, low, 0.056, 0.066, hair)
        for sign in (-1, 1):
            start = crown + 0.042 * sign * right
            end = neck + 0.062 * sign * right - 0.05 * up - 0.01 * ahead
            add((start + end) / 2, 0.005, start, end, 0.024, 0.026, hair)
    elif look.haircut == "tail":
        root, end = crown - 0.07 * ahead, neck - 0.11 * ahead + 0.01 * up
        add(root, -0.02, root, end, 0.026, 0.014, hair)
    return parts + _features(face, up, ahead, right, look)


def _features(face: Array, up: Array, ahead: Array, right: Array, look: Wardrobe) -> list[Part]:
    """Eyes, nose and mouth. Seen from behind, the head is nearer and covers them."""
    eyes = [face + 0.05 * ahead + 0.014 * up + 0.021 * sign * right for sign in (-1, 1)]
    nose = face + 0.058 * ahead - 0.004 * up
    tip = nose + 0.01 * ahead - 0.006 * up
    mouth = face + 0.05 * ahead - 0.03 * up
    half = 0.013 * right
    beak = Capsule(nose, tip, 0.009, 0.008, tint(look.skin, 0.9), shaded=False)
    lips = Capsule(mouth - half, mouth + half, 0.005, 0.005, (150, 66, 62), shaded=False)
    return [
        *(Part(eye, [Capsule(eye, eye, 0.0075, 0.0075, EYES, shaded=False)]) for eye in eyes),
        Part(nose, [beak], bias=-0.005),
        Part(mouth, [lips]),
    ]
