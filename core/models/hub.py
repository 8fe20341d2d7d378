"""Small files from the Hugging Face Hub, with a quick and plain answer where it cannot be reached.

Written against huggingface_hub's documentation. What is verified here is the answer without a network; a fetch is not.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Literal

from core.errors import InputError

TIMEOUT_S = 6.0
WORDS = {"model": ("model folder", "model"), "dataset": ("file", "data set")}


def fetch(
    kind: Literal["model", "dataset"],
    name: str,
    choose: Callable[[list[str]], list[str]],
    field: str,
    revision: str | None = None,
) -> list[Path]:
    """Fetch some files of a repository; they are kept in huggingface_hub's cache.

    Args:
        kind: of the repository.
        name: its id, owner/name.
        choose: from all file names to those wanted; it raises an InputError where none will do.
        field: the config field that an error belongs to.
        revision: branch, tag or commit.

    Raises:
        InputError: no such repository or revision, a gated one, or the Hub cannot be reached.
    """
    from huggingface_hub import HfApi, hf_hub_download
    from huggingface_hub.errors import GatedRepoError, HfHubHTTPError, RepositoryNotFoundError, RevisionNotFoundError

    here, there = WORDS[kind]
    try:
        look_up = HfApi().model_info if kind == "model" else HfApi().dataset_info
        info = look_up(name, revision=revision, timeout=TIMEOUT_S)
        wanted = choose([sibling.rfilename for sibling in info.siblings or []])
        return [Path(hf_hub_download(name, file, repo_type=kind, revision=info.sha)) for file in wanted]
    except InputError:
        raise
    except GatedRepoError:
        raise InputError(
            f"The {there} {name!r} is gated: accept its terms on the Hub and log in with a token (HF_TOKEN).", field
        ) from None
    except RevisionNotFoundError:
        raise InputError(f"The {there} {name!r} has no revision {revision!r}.", "model.revision") from None
    except RepositoryNotFoundError:
        raise InputError(
            f"There is no {there} {name!r}: neither a {here} here nor an open repository on the Hub.", field
        ) from None
    except HfHubHTTPError as error:
        status = error.response.status_code if error.response is not None else "an error"
        raise InputError(
            f"The Hugging Face Hub answered {status} for the {there} {name!r}: try again later.", field
        ) from None
    except Exception:  # the HTTP library's own errors, OfflineModeIsEnabled, a proxy's: all mean the same here
        raise InputError(
            f"There is no {here} {name!r} here, and the Hugging Face Hub cannot be reached to look for a {there} of "
            "that name.",
            field,
        ) from None
