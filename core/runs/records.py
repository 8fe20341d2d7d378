"""The files of a run, and what each may say: one reader for each kind, see core.runs.typed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, with_config
from typing_extensions import NotRequired, Required, TypedDict

from core.runs.typed import Record
from core.sentences import shown

Time = Annotated[float, Field(ge=0, le=2.5e11)]  # seconds since 1970, up to what a calendar has
Number = Annotated[float, Field(ge=-1e300, le=1e300)]
Count = Annotated[int, Field(ge=0, le=2**53)]
Share = Annotated[float, Field(ge=0, le=1)]
Strict = ConfigDict(extra="allow", strict=True, allow_inf_nan=False)


@with_config(Strict)
class State(TypedDict, total=False):
    """state.json: what core.runs.state.State holds, as its job wrote it."""

    state: Required[Literal["queued", "running", "stopping", "stopped", "done", "failed"]]
    what: str
    done: Annotated[float, Field(ge=0, le=1e300)]
    total: Annotated[float, Field(ge=0, le=1e300)]
    error: str
    field: str
    reason: str
    pid: Annotated[int, Field(ge=1, le=2**31 - 1)] | None
    created: Time | None
    started: Time | None
    ended: Time | None
    heartbeat: Time | None


@with_config(Strict)
class Job(TypedDict, total=False):
    """job.json: what the launcher noted of a process. `exit` is as subprocess has it."""

    name: str
    pid: Annotated[int, Field(ge=1, le=2**31 - 1)] | None
    created: Time | None
    log_from: Count
    exit: Annotated[int, Field(ge=-(2**31), le=2**32)] | None


@with_config(Strict)
class Fetched(TypedDict, total=False):
    """The model of a run, in its environment.json."""

    path: str | None
    commit: str | None


@with_config(Strict)
class Environment(TypedDict, total=False):
    """environment.json."""

    name: str
    python: str
    packages: dict[str, str]
    seed: int
    data: dict[str, Any] | None
    device: dict[str, Any] | None
    model: Fetched | None
    base_fingerprint: str | None


@with_config(Strict)
class Event(TypedDict, total=False):
    """A line of events.jsonl. Figures of a validation that have other names are numbers where they count as any."""

    kind: Required[Annotated[str, Field(min_length=1)]]
    step: Count
    t: Time | None
    max_steps: Count | None
    loss: Number | None
    validation_loss: Number | None
    metric: str | None
    metric_value: Number | None
    higher_is_better: bool | None
    tokens_per_second: Number | None
    memory_bytes: Count | None
    memory_total: Count | None
    cpu_percent: Number | None
    answers: list[dict[str, Any]] | None
    reason: str | None
    best_step: Count | None
    text: str | None


@with_config(Strict)
class Entry(TypedDict):
    """A file of a checkpoint."""

    bytes: Count
    sha256: str


@with_config(Strict)
class Manifest(TypedDict):
    """manifest.json of a checkpoint: name -> what it holds."""

    files: Annotated[dict[str, Entry], Field(min_length=1)]


@with_config(Strict)
class BestNote(TypedDict):
    """best.json beside the best weights."""

    step: Count
    validation_loss: Number
    metric: NotRequired[str]
    metric_value: NotRequired[Number]


@with_config(Strict)
class Clock(TypedDict, total=False):
    """clock.json of a checkpoint."""

    seconds: Annotated[float, Field(ge=0, le=1e12)]


@with_config(Strict)
class About(TypedDict):
    """What a metric is called and means."""

    label: str
    unit: str
    meaning: str
    higher_is_better: bool


@with_config(Strict)
class Difference(TypedDict):
    """Tuned minus base, with its 95 % interval."""

    mean: Number | None
    low: Number | None
    high: Number | None
    p: NotRequired[Number | None]


@with_config(Strict)
class Interval(TypedDict):
    """The same of an export: a difference that could not be measured is none."""

    low: Number
    high: Number


@with_config(Strict)
class Confusion(TypedDict):
    """Counts of true label by answer."""

    labels: list[str]
    counts: list[list[Count]]


@with_config(Strict)
class ByLabel(TypedDict):
    """Figures of one label."""

    label: str
    support: Count
    precision: Number | None
    recall: Number | None
    f1: Number | None


@with_config(Strict)
class Measured(TypedDict):
    """The rows that an evaluation asked."""

    which: NotRequired[str | None]
    name: NotRequired[str | None]


@with_config(Strict)
class Result(TypedDict):
    """evaluation/result.json."""

    rows: Count
    metrics: Annotated[dict[str, Number | None], Field(min_length=1)]
    main_metric: str
    data: NotRequired[Measured | None]
    baseline: NotRequired[dict[str, Number | None] | None]
    baseline_name: NotRequired[str | None]
    difference: NotRequired[dict[str, Difference] | None]
    about: NotRequired[dict[str, About]]
    groups: NotRequired[dict[str, dict[str, dict[str, Any]]] | None]
    confusion: NotRequired[Confusion | None]
    baseline_confusion: NotRequired[Confusion | None]
    per_label: NotRequired[list[ByLabel] | None]
    notes: NotRequired[list[str] | None]


def _result(value: Mapping[str, Any]) -> str:
    main = value["main_metric"]
    if main not in value["metrics"]:
        return f"main_metric: {shown(main)} is none of its metrics"
    for name in ("confusion", "baseline_confusion"):
        matrix = value.get(name)
        if matrix and any(len(row) != len(matrix["labels"]) for row in (matrix["counts"], *matrix["counts"])):
            return f"{name}: it has not as many counts as labels"
    for column, groups in (value.get("groups") or {}).items():
        for group, part in groups.items():
            base = part.get("baseline")
            numbers = [part.get(main), *(base.values() if isinstance(base, dict) else [])]
            if not _count(part.get("rows")) or main not in part or not all(n is None or _number(n) for n in numbers):
                return f"groups: {shown(group)} of {shown(column)} has not the figures of a group"
            if base is not None and not isinstance(base, dict):
                return f"groups: the baseline of {shown(group)} is no set of figures"
    return ""


@with_config(Strict)
class Prediction(TypedDict):
    """A line of predictions/heldout.jsonl."""

    row: Count
    prompt: str
    want: str
    base: str | None
    tuned: str | None
    base_ok: bool | None
    tuned_ok: bool | None


@with_config(Strict)
class Sides(TypedDict):
    """A figure of both sides of a comparison."""

    onnx: Number | None
    pytorch: Number | None


@with_config(Strict)
class ReportMetric(TypedDict):
    """The metric of a comparison."""

    name: str
    onnx: Number
    pytorch: Number
    difference: NotRequired[Interval | Annotated[dict[str, Any], Field(max_length=0)] | None]


@with_config(Strict)
class ReportAdapter(TypedDict):
    """One of several adapters in a package."""

    name: str
    status: Literal["verified", "verified with loss", "not verified here", "failed"]


@with_config(Strict)
class Stated(TypedDict):
    """What a report.json says first of all."""

    status: Literal["verified", "verified with loss", "not verified here", "failed"]
    message: str
    made: Time


@with_config(Strict)
class Report(Stated):
    """report.json of an export, with the figures of its comparison."""

    bytes: Annotated[int, Field(ge=1, le=2**53)]
    same: Share | None
    metric: ReportMetric | None
    tokens_per_second: Sides | None
    rows: NotRequired[Count | None]
    perplexity: NotRequired[Sides | None]
    first_token_seconds: NotRequired[Sides | None]
    max_logit_difference: NotRequired[Number | None]
    logit_range: NotRequired[Number | None]
    load_seconds: NotRequired[Number | None]
    peak_bytes: NotRequired[Count | None]
    separate_bytes: NotRequired[Count | None]
    adapters: NotRequired[list[ReportAdapter] | None]
    head: NotRequired[str | None]


def _report(value: Mapping[str, Any]) -> str:
    return "rows: it is missing" if value.get("same") is not None and value.get("rows") is None else ""


@with_config(Strict)
class PackageLayout(TypedDict):
    """How the rows of a package are read: see core.data.formats.Layout."""

    name: str
    roles: dict[str, Any]


@with_config(Strict)
class Asks(TypedDict, total=False):
    """What a package, or one of several adapters in it, asks for."""

    kind: str
    fields: list[str] | None
    optional: list[str] | None
    template: str | None


@with_config(Strict)
class PackageAdapter(Asks, total=False):
    """One of several adapters; what it does not say is the package's."""

    layout: PackageLayout


@with_config(Strict)
class Package(Asks):
    """tunesmith.json of a package."""

    layout: PackageLayout
    adapters: NotRequired[dict[str, PackageAdapter] | None]


@with_config(Strict)
class Failed(TypedDict):
    """failed.json of an export: the report of a comparison that failed."""

    message: NotRequired[str | None]


@with_config(Strict)
class Sent(TypedDict):
    """export/push/result.json."""

    url: Annotated[str, Field(pattern=r"^https?://")]


@with_config(Strict)
class AdapterConfig(TypedDict, total=False):
    """adapter_config.json, as PEFT and we write it."""

    base_model_name_or_path: str | None
    revision: str | None
    peft_type: str | None
    task_type: str | None
    r: Count | None


@with_config(Strict)
class BaseNote(TypedDict, total=False):
    """base.json beside an adapter."""

    path: str | None
    revision: str | None
    fingerprint: str | None
    head: str | None
    labels: list[str] | None
    quantization: dict[str, Any] | None


STATE: Record[dict[str, Any]] = Record(State)
JOB: Record[Job] = Record(Job)
ENVIRONMENT: Record[dict[str, Any]] = Record(Environment)
EVENT: Record[dict[str, Any]] = Record(Event)
MANIFEST: Record[Manifest] = Record(Manifest)
BEST: Record[dict[str, Any]] = Record(BestNote, level=2)
CLOCK: Record[Clock] = Record(Clock, level=2)
RESULT: Record[dict[str, Any]] = Record(Result, 1, _result)
PREDICTION: Record[dict[str, Any]] = Record(Prediction, level=1)
STATED: Record[dict[str, Any]] = Record(Stated, level=2)
REPORT: Record[dict[str, Any]] = Record(Report, 2, _report)
PACKAGE: Record[dict[str, Any]] = Record(Package, level=2)
FAILED: Record[dict[str, Any]] = Record(Failed, level=2)
SENT: Record[dict[str, Any]] = Record(Sent, level=2)
ADAPTER: Record[dict[str, Any]] = Record(AdapterConfig, level=1)
BASE: Record[dict[str, Any]] = Record(BaseNote, level=1)


def _number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) <= 1e300


def _count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= 2**53
