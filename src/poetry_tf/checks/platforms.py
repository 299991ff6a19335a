"""TF305: what TensorFlow needs in an environment beyond itself."""

from __future__ import annotations

from collections.abc import Iterator

from poetry_tf.checks.findings import Context, Finding, rule
from poetry_tf.platforms import missing, unlocked


@rule("TF305", fixable=True)
def lacking_for_an_environment(context: Context) -> Iterator[Finding]:
    """The lock lacks what TensorFlow needs in an environment that the project is for.

    On some platforms TensorFlow's wheel holds nothing but a requirement on another distribution
    (`tensorflow-cpu-aws`, `tensorflow-intel`, `tensorflow-macos`), and the newest version of
    `tensorflow-io-gcs-filesystem` has no wheel for Windows. Poetry reads the metadata of one wheel
    for all platforms, so it gets right only what pyproject.toml asks for, with markers. Some old
    releases also admit a NumPy or protobuf that came out later and that they don't run with.
    """
    project, plan = context.project, context.plan
    if plan is None or not project.pyproject.is_managed:
        return
    is_complete = True
    for need in missing(project, plan):
        is_complete = False
        yield Finding("TF305", *context.at(need.item.path), need.message, need.remedy, need.edits)
    lock = project.valid_lock
    # A lock from before the lines is stale, which is a finding of its own.
    if lock is None or not is_complete or not lock.is_fresh(project.pyproject.data):
        return
    for item, name in unlocked(project, plan):
        yield Finding(
            "TF305",
            lock.path,
            lock.position(item.name),
            f"pyproject.toml asks for {name}, but the lock doesn't have the one that goes with "
            f"{item.name}",
            "Run `poetry lock`",
        )
