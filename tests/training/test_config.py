"""Options: profiles, variants, command line, and complaints that name what is allowed."""

import argparse
import json
from dataclasses import asdict, fields, replace

import pytest

from rstan_lite.cli.training import add_options, from_arguments
from rstan_lite.system.errors import ConfigError
from rstan_lite.training.config import TrainConfig, differences, from_mapping, read_config
from rstan_lite.training.parts import feature_settings
from rstan_lite.training.profiles import PROFILES, SIZES, VARIANTS, resolve


def parse(*argv: str) -> TrainConfig:
    parser = argparse.ArgumentParser(allow_abbrev=False)
    add_options(parser)
    return from_arguments(parser.parse_args(argv))


def test_every_field_has_help_and_an_option_of_the_command_line():
    parser = argparse.ArgumentParser()
    add_options(parser)
    text = parser.format_help()
    for spec in fields(TrainConfig):
        assert spec.metadata["help"]
        assert "--" + spec.name.replace("_", "-") in text


def test_the_papers_two_networks_are_one_option_apart():
    """GPCNN's is the profile's; TSN's for both streams, at the same side, by its name alone."""
    for more, name in (((), "vgg16"), (("--backbone", "bninception"), "bninception")):
        config = parse("--profile", "paper", "--dataset", "jhmdb", *more)
        settings = feature_settings(config, {"appearance": "a", "motion": "m"})
        for stream in ("appearance", "motion"):
            assert settings.backbone_of(stream) == name
            assert settings.size_of(stream) == 224
        assert set(settings.places_of(settings.views).values()) == {49}


def test_options_override_variant_and_variant_overrides_profile():
    config = parse("--profile", "tiny", "--variant", "lstm", "--streams", "motion", "--lr", "0.1")
    assert config.d_h == SIZES["tiny"]["d_h"]
    assert (config.attention, config.fusion, config.aa_kind) == ("none", "none", "none")
    assert config.streams == ("motion",)
    assert config.lr == 0.1
    assert parse("--renormalize").renormalize is True
    assert parse("--no-renormalize").renormalize is False


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("variant", VARIANTS)
def test_every_variant_fits_every_profile(profile: str, variant: str):
    config = resolve(profile, variant=variant)
    for name, value in VARIANTS[variant].items():
        assert getattr(config, name) == value


def test_milestone_keeps_its_place_when_iterations_change():
    assert resolve("course", {"iterations": 100}).milestone == 60
    assert resolve("course", {"iterations": 100, "milestone": 5}).milestone == 5


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (("--profile", "tinny"), ("'tinny'", "tiny, course, paper", "Did you mean tiny?")),
        (("--variant", "gru"), ("'gru'", "lstm")),
        (("--dataset", "kinetics"), ("--dataset", "puppets, jhmdb")),
        (("--streams", "appearance,sound"), ("--streams", "appearance, motion")),
        (("--streams", ""), ("--streams", "nothing")),
        (("--inputs", "edges"), ("--inputs", "'edges'", "NAME=VALUE")),
        (("--inputs", "edges=own:edges"), ("--inputs", "edges")),  # not among --streams
        (("--inputs", "edges=own.edges"), ("--inputs edges", "module:function")),
        (("--inputs", "fused=own:edges", "--streams", "fused"), ("--inputs", "'fused'")),
        (("--input-weights", "motion=file"), ("--input-weights", "found motion")),
        (("--d-h", "many"), ("--d-h", "'many'", "int")),
        (("--lr", "nan"), ("--lr", "nan")),
        (("--split", "4"), ("--split", "from 1 to 3")),
        (("--attention", "none"), ("--attention", "--variant lstm")),
        (("--classifier", "score"), ("--classifier", "--fusion none")),
        (("--test-frames", "64"), ("--test-frames", "--stored-frames")),
    ],
)
def test_bad_options_are_named_with_what_is_allowed(argv: tuple[str, ...], words: tuple[str, ...]):
    with pytest.raises(ConfigError) as caught:
        parse(*argv)
    for word in words:
        assert word in str(caught.value)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"lambda_aaa": 1.0}, r"lambda_aaa.*lambda_aa.*Did you mean lambda_aa\?"),
        ({"d_h": 3.5}, "a whole number"),
        ({"d_h": True}, "a whole number"),
        ({"lr": "fast"}, "a number"),
        ({"streams": "appearance"}, "a tuple"),
    ],
)
def test_unknown_names_and_wrong_types_are_refused(values: dict, words: str):
    with pytest.raises(ConfigError, match=words):
        from_mapping(values)


def test_json_round_trip_and_differences(tmp_path):
    config = resolve("tiny", {"streams": ("motion",), "lambda_aa": 2.0})
    path = tmp_path / "config.json"
    path.write_text(json.dumps(asdict(config)), encoding="utf-8")
    assert read_config(path) == config
    moved = replace(config, device="cpu", cache="elsewhere")
    assert differences(config, moved) == {}
    assert differences(config, replace(config, seed=7)) == {"seed": (0, 7)}
