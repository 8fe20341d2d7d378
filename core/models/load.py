"""Weights: a base model, a tuned one, an adapter on its base; safe formats only, in the precision of the device."""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import re
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

import torch
import transformers
from huggingface_hub.errors import StrictDataclassError
from transformers import AutoConfig, GenerationConfig, PreTrainedModel, PreTrainedTokenizerFast
from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES
from transformers.utils import SAFE_WEIGHTS_INDEX_NAME, cached_file
from transformers.utils import logging as transformers_logging

from core.errors import InputError
from core.models.adapter_weights import whole_adapter
from core.models.bounds import check_adapter, check_config
from core.models.heads import BY_TASK_TYPE, CAUSAL, HEADS, LABEL, TAGS, Head, class_name, head_in
from core.models.precision import Precision as Precision
from core.models.precision import precision as precision
from core.models.quantize import bits_and_bytes, steady
from core.models.shapes import mismatch
from core.models.tokenizer import load_tokenizer, looks_like_id, model_folder
from core.paths import portable, resolve
from core.runs import records, store
from core.runs.files import read_json
from core.runs.store import Run

TOKENS_OF_GENERATION = ("bos_token_id", "eos_token_id", "pad_token_id", "decoder_start_token_id")
BASE_NOTE = "base.json"  # beside an adapter: the fingerprint of the weights that it was trained on
CHAT_TEMPLATE = "chat_template.jinja"
# Files that go with weights and stay as they are, byte for byte, when these are tuned.
COMPANIONS = (
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    CHAT_TEMPLATE,
    "chat_template.json",
    "vocab.json",
    "merges.txt",
    "tokenizer.model",
    "generation_config.json",
)


transformers_logging.disable_progress_bar()  # its bars are noise in a log file; our own lines say how far it is
logging.getLogger("bitsandbytes").setLevel(logging.ERROR)  # at import it warns of CPU kernels that nothing here uses


@contextlib.contextmanager
def patient_peft() -> Iterator[None]:
    """PEFT 0.21 reads `is_gradient_checkpointing` of a model, which transformers 5.23 says that v6 will not have."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "`is_gradient_checkpointing` is deprecated", FutureWarning)
        yield


def load_base(
    path: str,
    revision: str | None = None,
    dtype: torch.dtype = torch.float32,
    head: Head = CAUSAL,
    labels: Sequence[str] = (),
    quantization: dict[str, Any] | None = None,
) -> PreTrainedModel:
    """A model from a folder or the Hub, on the CPU and in evaluation mode.

    Args:
        path: a folder (as `core.paths.resolve` finds it) or a Hub id. revision: of a Hub model. dtype: of the weights.
        head: what it is to end in. A head for labels or tags that the weights do not have is made at random, from
            torch's own state: seed it before. labels: names of the head's outputs.
        quantization: arguments of transformers.BitsAndBytesConfig, plain values; None: weights as they are.

    Raises:
        InputError: (field model.path) no such model, none that has or takes such a head, weights that are missing,
            incomplete, damaged or in a format that can hold code.
    """
    name = _source(path)
    if odd := next((file.name for file in Path(name).glob("*.safetensors") if not file.is_file()), None):
        raise _bad(path, f"has weights that are no plain file: {odd}")
    if Path(name).is_dir() and (reason := mismatch(Path(name))):
        raise _bad(path, reason)
    config = _config_for(path, name, revision, head, labels)
    _refuse_parts_elsewhere(path, name, revision, config)
    before = transformers_logging.get_verbosity()
    transformers_logging.set_verbosity_error()  # what is wrong with the weights we say ourselves
    try:
        model, report = _class_for(config, head).from_pretrained(
            name,
            config=config,
            revision=revision or "main",
            dtype=dtype,
            use_safetensors=True,
            trust_remote_code=False,
            output_loading_info=True,
            quantization_config=bits_and_bytes(quantization),
        )
    except (OSError, ValueError, RuntimeError, ImportError) as error:
        raise _bad(path, _why(error, name)) from error
    except (KeyError, TypeError, AttributeError, AssertionError) as error:
        raise _bad(path, f"cannot be loaded: what its config.json says is unknown ({_first(error)})") from error
    except Exception as error:  # safetensors raises a class of its own, which derives from Exception alone
        if type(error).__name__ != "SafetensorError":
            raise
        raise _bad(path, f"has damaged weights: {error}") from error
    finally:
        transformers_logging.set_verbosity(before)
    if quantization is not None:
        steady(model)
    if model.can_generate():  # greedy answers are compared: nothing else that the model's file asks for is applied
        ids = {name: getattr(model.generation_config, name) for name in TOKENS_OF_GENERATION}
        model.generation_config = GenerationConfig(**ids)
    lost = sorted(report["missing_keys"]) + [str(key) for key in report.get("mismatched_keys") or ()]
    lost = [key for key in lost if head.writes or not _of_head(key, model)]
    if lost:
        raise _bad(path, f"has incomplete weights: {len(lost)} are missing or of another shape, such as {lost[0]}")
    return model.eval()


def _refuse_parts_elsewhere(path: str, name: str, revision: str | None, config: Any) -> None:
    """InputError where an index of weights in several files names one outside of the model's own folder.

    transformers 5.23 joins these names to the folder as they are (CVE-2026-75104), and reads what is there.
    """
    own = str(getattr(config, "transformers_weights", None) or SAFE_WEIGHTS_INDEX_NAME)  # a config may name another
    if not own.endswith(".index.json"):
        return
    try:
        index = cached_file(name, own, revision=revision or "main", _raise_exceptions_for_missing_entries=False)
    except (OSError, ValueError) as error:
        raise _bad(path, _why(error, name)) from error
    parts = (read_json(index) or {}).get("weight_map") if index is not None else None
    for part in parts.values() if isinstance(parts, dict) else ():
        ways = (PurePosixPath(str(part)), PureWindowsPath(str(part)))
        if any(way.is_absolute() or way.anchor or ".." in way.parts for way in ways):
            raise _bad(path, f"has an index of weights that names a file elsewhere: {str(part)[:200]!r}")


def _config_for(path: str, name: str, revision: str | None, head: Head, labels: Sequence[str]) -> Any:
    """The model's config with the labels of its head. InputError for a model that cannot have this head."""
    try:
        config = AutoConfig.from_pretrained(name, revision=revision or "main", trust_remote_code=False)
    except (OSError, ValueError, KeyError, json.JSONDecodeError, StrictDataclassError) as error:
        raise _bad(path, _why(error, name)) from error
    except (TypeError, AttributeError, ArithmeticError, RecursionError) as error:
        raise _bad(path, f"cannot be loaded: what its config.json says is unknown ({_first(error)})") from error
    check_config(config.to_dict(), path)  # before so many layers are built
    kinds = [str(kind) for kind in config.architectures or []]
    if head is CAUSAL:
        if kinds and not set(MODEL_FOR_CAUSAL_LM_MAPPING_NAMES.values()).intersection(kinds):
            raise _bad(
                path, f"is a {kinds[0]}, which does not write text: choose a causal language model (…ForCausalLM)"
            )
        if config.model_type not in MODEL_FOR_CAUSAL_LM_MAPPING_NAMES:
            raise _bad(path, f"is of the kind {config.model_type!r}, which does not write text")
    elif type(config) not in getattr(transformers, head.auto)._model_mapping:
        raise _bad(path, f"is of the kind {config.model_type!r}: transformers has none of these that {head.label}")
    if labels and head in (LABEL, TAGS):
        config.id2label = dict(enumerate(labels))
        config.label2id = {label: i for i, label in enumerate(labels)}
    return config


def _class_for(config: Any, head: Head) -> Any:
    """The class to load with."""
    return getattr(transformers, class_name(head, config.to_dict()))


def _of_head(key: str, model: PreTrainedModel) -> bool:
    """Whether a weight lies outside the base: in the head, or in what pools for it."""
    prefix = model.base_model_prefix
    return not key.startswith(f"{prefix}.") or "pooler" in key or model.base_model is model


def load_run(
    target: str | Path | Run, dtype: torch.dtype = torch.float32, head: Head | None = None
) -> tuple[PreTrainedModel, PreTrainedTokenizerFast]:
    """Model and tokenizer of a run, or of anything else that has weights. On the CPU, in evaluation mode.

    Args:
        target: a run, its id, its directory, a folder with an adapter or a model, or a Hub id. An adapter is put on
            its base with PEFT and stays apart from it (`model.disable_adapter()` gives the base).
        dtype: of the base's weights; an adapter's are float32.
        head: what it ends in; None: what the weights say.

    Raises:
        InputError: nothing of that name, or it cannot be loaded, or is damaged.
    """
    folder = weights_of(target)
    head = head or head_of_weights(folder)
    if not (Path(folder) / "adapter_config.json").is_file():
        return load_base(folder, dtype=dtype, head=head), load_tokenizer(folder)
    base, revision = base_of(Path(folder))
    note = records.BASE.read(Path(folder) / BASE_NOTE) or {}
    whole = load_base(base, revision, dtype, head, note.get("labels") or (), note.get("quantization"))
    known = note.get("fingerprint")
    if known and known != fingerprint(base, revision):
        raise InputError(
            f"The adapter in {str(folder)!r} was trained on other weights than {base!r} holds now: together they would "
            "say nonsense. Put the old weights back, or train again.",
            "model.path",
        )
    with patient_peft(), whole_adapter(Path(folder)):
        from peft import PeftModel

        import core.methods.bottleneck  # noqa: F401 - tells PEFT of this kind of adapter
        from core.methods import prompt

        model = PeftModel.from_pretrained(whole, folder, is_trainable=False)
    return prompt.opened(model).eval(), load_tokenizer(base, revision)


def head_of_weights(folder: str) -> Head:
    """What the weights in a folder end in: an adapter says it by its task_type, a model by its architecture."""
    adapter = records.ADAPTER.read(Path(folder) / "adapter_config.json")
    if adapter is not None:
        note = records.BASE.read(Path(folder) / BASE_NOTE) or {}
        return HEADS.get(note.get("head", "")) or BY_TASK_TYPE.get(adapter.get("task_type") or "", CAUSAL)
    config = read_json(resolve(folder) / "config.json")
    check_config(config or {}, folder)
    return head_in(config) if config is not None else CAUSAL


def labels_of(model: Any, head: Head) -> list[str]:
    """The names of a head's outputs, in their order; none where it has none."""
    names: dict[int, str] = model.config.id2label if head in (LABEL, TAGS) else {}
    return [names[i] for i in sorted(names)]


def weights_of(target: str | Path | Run) -> str:
    """The folder (or Hub id) that holds the weights of a target: a run's `model`, otherwise the target itself."""
    run = target if isinstance(target, Run) else store.find(target)
    if run is None:
        return str(target)
    if not run.has_model:
        raise InputError(f"The run {run.id} has no tuned model yet: its training is {run.state().state}.")
    return str(run.dir / "model")


def base_of(adapter: Path) -> tuple[str, str | None]:
    """(path or Hub id, revision) of the base of an adapter folder. Raises InputError when it does not say."""
    config = records.ADAPTER.read(adapter / "adapter_config.json") or {}
    check_adapter(config, str(adapter))
    base = config.get("base_model_name_or_path")
    if not base:
        raise InputError(f"The adapter in {str(adapter)!r} does not say which base model it belongs to.", "model.path")
    return str(base), config.get("revision")


def base_name(path: str) -> str:
    """How an adapter names its base: relative to the project where it lies inside, so that both can move together."""
    return portable(resolve(path)) if resolve(path).exists() else path


def fingerprint(path: str, revision: str | None = None) -> str:
    """Tells the weights of one base from those of another: SHA-256 of their names, sizes, beginnings and ends.

    Only a mebibyte from each end of a file is read, so that it takes no time for a large model; the beginning holds the
    header with all tensors' names and shapes.
    """
    digest = hashlib.sha256()
    folder = resolve(path)
    if not folder.is_dir():  # on the Hub: the folder of its cache
        config = _file(path, revision, "config.json")
        folder = config.parent if config is not None else folder
    for name in sorted(p.name for p in folder.glob("*.safetensors")):
        file = _file(path, revision, name)
        if file is None:
            continue
        size = file.stat().st_size
        digest.update(f"{name}:{size}:".encode())
        with open(file, "rb") as stream:
            digest.update(stream.read(2**20))
            stream.seek(max(0, size - 2**20))
            digest.update(stream.read())
    return digest.hexdigest()


def copy_companions(path: str, revision: str | None, out: Path) -> list[str]:
    """Copy a model's tokenizer files and generation config to `out`, byte for byte; the names that were there."""
    copied = []
    for name in COMPANIONS:
        source = _file(path, revision, name)
        if source is not None:
            (out / name).write_bytes(source.read_bytes())
            copied.append(name)
    return copied


def _file(path: str, revision: str | None, name: str) -> Path | None:
    """A file of a model that was loaded before: in its folder, or in the Hub's cache."""
    folder = resolve(path)
    if folder.is_dir():
        return folder / name if (folder / name).is_file() else None
    from huggingface_hub import try_to_load_from_cache

    found = try_to_load_from_cache(path, name, revision=revision)
    return Path(found) if isinstance(found, str) else None


def _source(path: str) -> str:
    """What to load from: the folder if there is one, else the Hub id."""
    if resolve(path).is_dir() or not looks_like_id(path):
        return str(model_folder(path))
    return path


def _why(error: BaseException, name: str) -> str:
    """The reason that a model cannot be loaded, in the words of a person."""
    text = str(error)
    folder = Path(name)
    if folder.is_dir():
        if not (folder / "config.json").is_file():
            return "is a folder without a config.json, so it holds no model"
        if "safetensors" in text and not list(folder.glob("*.safetensors")):
            pickled = " (its pytorch_model.bin can hold code, and is not read)" if list(folder.glob("*.bin")) else ""
            return f"has no weights in safetensors format{pickled}"
    lower = text.lower()
    if (
        "offline" in lower
        or "connection" in lower
        or "couldn't connect" in lower
        or "cannot find the requested" in lower
    ):
        return "is not on this machine, and the Hub cannot be reached"
    if "gated" in lower or "401" in text or "403" in text:
        return "needs your consent on its page on the Hub, and a token of that account (HF_TOKEN, or typed in)"
    if "safetensors" in lower and "does not appear to have" in lower:
        return "has no weights in safetensors format on the Hub (others can hold code, and are not read)"
    if "is not a valid model identifier" in lower or "404" in text:
        return "is not on the Hub"
    if "ignore_mismatched_sizes" in text:
        return "has weights of other shapes than its config.json says"
    if "trust_remote_code" in text:
        return "brings code of its own, which is not run here"
    if kind := re.search(r"model type `([^`]+)` but Transformers does not recognize", text):
        return f"is of the kind {kind[1]!r}, which transformers {transformers.__version__} does not know"
    return f"cannot be loaded: {_first(error.__cause__ if isinstance(error, StrictDataclassError) else error)}"


def _first(error: BaseException | None) -> str:
    """The first line of what an error says."""
    return next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)[:300]


def _bad(path: str, reason: str) -> InputError:
    return InputError(f"The model {path!r} {reason.rstrip('.')}.", "model.path")


def parameters(model: Any) -> dict[str, int]:
    """How many parameters are trained, and how many there are: {"trained", "all"}."""
    return {
        "trained": sum(p.numel() for p in model.parameters() if p.requires_grad),
        "all": sum(p.numel() for p in model.parameters()),
    }
