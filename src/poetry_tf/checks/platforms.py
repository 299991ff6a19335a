"""TF305: what TensorFlow needs beside it in an environment."""

from __future__ import annotations

from collections.abc import Iterator

from poetry_tf.checks.findings import Context, Finding, rule
from poetry_tf.pyproject.bounds import missing_bounds
from poetry_tf.pyproject.platforms import missing_requirements, unlocked_requirements


@rule("TF305", fixable=True)
def lacking_for_an_environment(context: Context) -> Iterator[Finding]:
    """The lock lacks what TensorFlow needs in an environment that the project is for.

    On some platforms TensorFlow's wheel holds nothing but a requirement on another distribution
    (`tensorflow-cpu-aws`, `tensorflow-intel`, `tensorflow-macos`), and the newest version of
    `tensorflow-io-gcs-filesystem` has no wheel for Windows. Poetry reads the metadata of one wheel
    for all platforms, so it gets right only what pyproject.toml asks for, with markers.

    Some versions also admit a dependency that came out later and that they fail with: old releases
    of TensorFlow fail with NumPy 2 or a newer protobuf, which is an error. TensorBoard before 2.21
    doesn't start with setuptools 82, which removed pkg_resources; training still works, so this is
    a warning. In a project that poetry-tf manages pyproject.toml has to require an older version,
    such as `setuptools (<82)`. Other projects are judged by their lock, if they have one, and are
    not changed. Nor is what a package publishes: a line in a dependency group holds the lock and is
    not published.
    """
    project, plan = context.project, context.plan
    is_planned = plan is not None and project.pyproject.is_managed
    issues = (
        *(missing_requirements(project, plan) if plan is not None and is_planned else ()),
        *(missing_bounds(project) if context.concerned else ()),
    )
    for issue in issues:
        yield Finding(
            "TF305",
            *context.at(issue.item.path),
            issue.message,
            issue.remedy,
            issue.edits,
            level=issue.severity,
        )
    lock = project.valid_lock
    # A lock that is older than the requirements is stale, which TF302 finds.
    if plan is None or not is_planned or issues or lock is None:
        return
    if not lock.is_fresh(project.pyproject.data):
        return
    for item, name in unlocked_requirements(project, plan):
        yield Finding(
            "TF305",
            lock.path,
            lock.position(item.name),
            f"pyproject.toml asks for {name}, but the lock doesn't have the one that goes with "
            f"{item.name}",
            "Run `poetry lock`",
        )
