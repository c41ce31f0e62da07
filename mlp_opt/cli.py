"""The command line. Parsing only: jax, scikit-learn and matplotlib are imported when a command runs."""

from __future__ import annotations

import contextlib
import dataclasses
import gc
import io
import os
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import tyro

from .config import DEFAULT_SPACE, Kinds, Options, SweepConfig, TrainConfig, load_sweep_toml, load_toml, with_fields
from .errors import InputError, check_name
from .options import Check, Datasets, Export, Figures, Landscape, Predict, Race, Serve, Show, Sweep, Train

USAGE = """usage: mlp-opt COMMAND [OPTIONS]

Train and understand multilayer perceptrons and their optimizers.

  mlp-opt train DATA          train one network, save it with its history and curves
  mlp-opt sweep DATA          train hundreds of networks at once, keep the best
  mlp-opt sweep show DIR      the best trials of a sweep
  mlp-opt predict MODEL DATA  a saved model's predictions for each row of a table
  mlp-opt export MODEL        a saved model as an ONNX file
  mlp-opt race SURFACE        race optimizers on a function of two variables
  mlp-opt landscape DATA      draw the loss that several optimizers see
  mlp-opt serve               the live page: drag the start, and every path follows
  mlp-opt check               prove gradients and optimizers on this machine
  mlp-opt figures             make the pictures of the notes, and a page that shows them
  mlp-opt datasets            list the data sets that need no download; write one as a table

DATA is the name of a data set, or a table: a file .csv, .csv.gz, .tsv, .parquet or .npz.
mlp-opt COMMAND --help tells the options of a command; mlp-opt --version the version.
"""


def main(arguments: list[str] | None = None) -> int:
    """Run a command; the exit status. 2, with one line on standard error, for bad usage or bad input."""
    args = sys.argv[1:] if arguments is None else arguments
    try:
        if not args or args[0] in ("-h", "--help"):
            print(USAGE, end="")
            return 0 if args else 2
        if args[0] == "--version":
            from importlib.metadata import version

            print(f"mlp-opt {version('mlp-opt')}")
            return 0
        return COMMANDS[check_name("command", args[0], COMMANDS)](args[1:])
    except InputError as error:
        print(f"mlp-opt: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("mlp-opt: interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:  # the reader of our output, `head` say, has gone
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except OSError as error:  # a full disk, say
        print(f"mlp-opt: {error}", file=sys.stderr)
        return 1


def _train(args: list[str]) -> int:
    path = _value_of(args, "--config")
    default = TrainConfig(**(load_toml(path) if path else {}))
    options: Train = _parse(Train, "train", args, Train(run=default))
    if options.resume is not None and (options.run != TrainConfig() or options.out or options.config):
        raise InputError(f"--resume {options.resume} takes its configuration from the folder; give no other options")
    if options.from_ is None and (options.trial, options.fold, options.repeat) != (0, 0, 0):
        raise InputError("--trial, --fold and --repeat choose a network of a sweep: give --from DIR, too")
    if options.from_ is not None and (options.run != TrainConfig() or options.config or options.resume):
        raise InputError(
            f"--from {options.from_} takes its configuration from the sweep; give no other options than --trial, --fold, --repeat, --out"
        )
    _before_jax()
    from .commands import train

    if options.from_ is not None:
        return train.again(options.from_, (options.trial, options.fold, options.repeat), options.out, options.json, options.tensorboard)
    return train.main(options.run, options.out, options.resume, options.json, options.tensorboard)


def _sweep(args: list[str]) -> int:
    if args[:1] == ["show"]:
        shown: Show = _parse(Show, "sweep show", args[1:])
        from .commands import sweep

        return sweep.show(shown.folder, shown.top, shown.json)
    path = _value_of(args, "--config")
    config, settings, space, when = load_sweep_toml(path) if path else ({}, {}, {}, [])
    default = Sweep(sweep=SweepConfig(**settings), run=TrainConfig(**config))
    options: Sweep = _parse(Sweep, "sweep", args, default)
    if options.resume is not None and options != dataclasses.replace(
        default, resume=options.resume, json=options.json, tensorboard=options.tensorboard
    ):
        raise InputError(f"--resume {options.resume} takes its configuration from the folder; give no other options")
    space = with_fields(space, options.space, path)
    _before_jax()
    from .commands import sweep

    if options.resume is not None:
        return sweep.resume(options.resume, options.json, options.tensorboard)
    where = " with ".join(filter(None, (str(path or ""), "--space" * bool(options.space)))) or "space"
    space = space if space or options.space else DEFAULT_SPACE
    return sweep.main(options.run, options.sweep, space, when, options.out, where, options.json, options.tensorboard)


def _predict(args: list[str]) -> int:
    options: Predict = _parse(Predict, "predict", args)
    _before_jax()
    from .commands import predict

    return predict.main(options.model, options.data, options.out, options.keep)


def _export(args: list[str]) -> int:
    options: Export = _parse(Export, "export", args)
    _before_jax()
    from .commands import export

    return export.main(options.model, options.out, options.bare)


def _race(args: list[str]) -> int:
    for i in range(len(args) - 2, -1, -1):
        if args[i] in ("--start", "--x", "--y"):  # -1.5,2 after one of these is no option
            args = [*args[:i], f"{args[i]}={args[i + 1]}", *args[i + 2 :]]
    options: Race = _parse(Race, "race", args)
    _before_jax()
    from .commands import race

    if options.html is not None:
        from .commands import serve

        return serve.export(options.html, options.race, options.out)
    return race.main(options.race, options.out, options.json)


def _landscape(args: list[str]) -> int:
    path = _value_of(args, "--config")
    default = TrainConfig(**(load_toml(path) if path else {}))
    options: Landscape = _parse(Landscape, "landscape", args, Landscape(train=default))
    if options.run is not None and options.train != TrainConfig():
        raise InputError(f"--run {options.run} takes its configuration from the folder; give no options of train")
    if options.optimizers and options.train.optimizer_options:
        raise InputError("--optimizer-options goes with --optimizer; --optimizers take their defaults")
    _before_jax()
    from .commands import landscape

    o = options
    return landscape.main(o.train, o.optimizers, o.learning_rates, o.plane, o.grid, o.hessian_rows, o.run, o.out, o.json)


def _serve(args: list[str]) -> int:
    options: Serve = _parse(Serve, "serve", args)
    _before_jax()
    from .commands import serve

    return serve.main(options.host, options.port, options.open, options.export, options.runs)


def _check(args: list[str]) -> int:
    options: Check = _parse(Check, "check", args)
    _before_jax()
    from .commands import check

    return check.main(options.quick, options.json)


def _figures(args: list[str]) -> int:
    options: Figures = _parse(Figures, "figures", args)
    _before_jax()
    from .commands import figures

    return figures.main(options.out, options.only, options.list_, options.json)


def _datasets(args: list[str]) -> int:
    options: Datasets = _parse(Datasets, "datasets", args)
    from .commands import datasets

    return datasets.write(options.name, options.out) if options.name else datasets.main(options.json)


COMMANDS: dict[str, Callable[[list[str]], int]] = {
    "train": _train,
    "sweep": _sweep,
    "predict": _predict,
    "export": _export,
    "race": _race,
    "landscape": _landscape,
    "serve": _serve,
    "check": _check,
    "figures": _figures,
    "datasets": _datasets,
}


def _before_jax() -> None:
    """Keep compiled programs between runs, in a folder of this jaxlib's version; a warm start skips compilation."""
    from importlib.metadata import version

    try:
        home = Path(os.environ.get("XDG_CACHE_HOME") or Path("~/.cache").expanduser())
        cache = home / "mlp_opt" / f"jax-{version('jaxlib')}"
        cache.mkdir(parents=True, exist_ok=True)
    except (OSError, RuntimeError):  # no home, or none to write to: compile every time
        return
    os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(cache))
    os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0")


def _parse(command: type, name: str, args: list[str], default: Any = None) -> Any:
    """tyro's parse; its boxed error messages become one line."""
    said = io.StringIO()
    try:
        with contextlib.redirect_stderr(said):
            given = {} if default is None else {"default": default}
            return tyro.cli(command, prog=f"mlp-opt {name}", args=args, registry=_REGISTRY, **given)
    except SystemExit as stop:
        if stop.code in (0, None):
            raise
        raise InputError(f"{_one_line(said.getvalue())}; see mlp-opt {name} --help") from None


def _one_line(boxed: str) -> str:
    """The gist of tyro's error box: no borders, no help text of the option, plain words for bad numbers."""
    text = " ".join(re.sub(r"\x1b\[[0-9;]*m|[\u2500-\u257f]|-{3,}", " ", boxed).split())
    text = re.split(r" (?:Argument helptext|For full helptext|Are you sure)", text)[0]
    text = re.sub(r" Perhaps you meant: (--?[\w-]+).*", r" (did you mean \1?)", text)
    text = re.sub(r"^(?:Parsing error|Value error|Missing argument|Unrecognized options(?= Unrec))\s*", "", text)
    text = re.sub(r"invalid literal for int\(\) with base 10: ('.*?')", r"\1 is not a whole number", text)
    return re.sub(r"could not convert string to float: ('.*?')", r"\1 is not a number", text)


def _value_of(args: list[str], flag: str) -> str | None:
    value = None  # the last counts, as it does for tyro
    for i, arg in enumerate(args):
        if arg == flag and i + 1 < len(args):
            value = args[i + 1]
        elif arg.startswith(flag + "="):
            value = arg.removeprefix(flag + "=")
    return value


_REGISTRY = tyro.constructors.ConstructorRegistry()


def _comma_separated(kind: Any, parse: Callable[[str], Any], show: Callable[[Any], str], metavar: str) -> None:
    """Values of this type are one argument, separated by commas."""

    @_REGISTRY.primitive_rule
    def rule(info: tyro.constructors.PrimitiveTypeInfo) -> Any:
        if info.type != kind:
            return None
        return tyro.constructors.PrimitiveConstructorSpec(
            nargs=1,
            metavar=metavar,
            instance_from_str=lambda texts: parse(texts[0]),
            is_instance=lambda value: isinstance(value, (tuple, dict)),
            str_from_instance=lambda value: [show(value)],
        )


def _split(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip() not in ("", "none")]


def _options(text: str) -> Options:
    words, options = {"true": True, "false": False}, {}
    for part in _split(text):
        key, _, value = part.partition("=")
        try:
            options[key.strip()] = words[value] if value in words else float(value)
        except ValueError as error:
            raise ValueError(f"{part!r} is not NAME=NUMBER or NAME=true") from error
    return options


def _kinds(text: str) -> Kinds:
    pairs = [part.rpartition("=") for part in _split(text)]
    if not all(name for name, _, _ in pairs):
        raise ValueError(f"{text!r} is not NAME=KIND,NAME=KIND")
    return {name.strip(): kind.strip() for name, _, kind in pairs}


def _show_options(options: Options) -> str:
    return ",".join(f"{k}={str(v).lower() if isinstance(v, bool) else v}" for k, v in options.items()) or "none"


_comma_separated(tuple[int, ...], lambda s: tuple(map(int, _split(s))), lambda v: ",".join(map(str, v)) or "none", "INT,INT")
_comma_separated(
    tuple[float, ...], lambda s: tuple(map(float, _split(s))), lambda v: ",".join(f"{x:g}" for x in v) or "none", "NUMBER,NUMBER"
)
_comma_separated(tuple[str, ...], lambda s: tuple(_split(s)), ",".join, "NAME,NAME")
_comma_separated(dict[str, Any], _options, _show_options, "NAME=VALUE,...")
_comma_separated(Kinds, _kinds, lambda v: ",".join(f"{k}={kind}" for k, kind in v.items()) or "none", "NAME=KIND,...")


def run() -> None:
    """The console script."""
    gc.set_threshold(100_000, 50, 100)  # nearly all that it imports lives to the end: to look for garbage among that every time takes 0.3 s
    sys.exit(main())
