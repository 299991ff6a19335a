"""Writes what README.md says of the containers for each series, between its markers, from the code.

    python .ci/containers_page.py [--check]

With `--check` nothing is written, and the status is 1 where the page is out of date.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

from poetry_tf.plan.derive import make_plan
from poetry_tf.plan.model import Plan, PlanError
from poetry_tf.plan.settings import GpuChoice, Settings
from poetry_tf.releases import Release, load
from poetry_tf.releases.images import Images, load_images
from poetry_tf.releases.nvidia import overlooked_folders
from poetry_tf.text import format_list

README = Path(__file__).parent.parent / "README.md"
SECTION = re.compile(r"(?<=<!-- containers: begin -->\n).*?(?=<!-- containers: end -->)", re.DOTALL)
FIRST = "2.8"


def page() -> str:
    """A table of what is emitted for each series, and one of the hosts that a build talks to."""
    images = load_images()
    return "".join(
        [
            "\n| TensorFlow | Python | `system` | `pip` | `none` | `auto` takes |\n"
            "| --- | --- | --- | --- | --- | --- |\n",
            *(row(images, release) for release in planned()),
            "\n| mode | a first build talks to |\n| --- | --- |\n",
            *(hosts_row(images, mode) for mode in ("system", "pip", "none")),
            "\n",
        ]
    )


def planned() -> list[Release]:
    """The newest release of each series that plans are made for."""
    catalog = load()
    series = catalog.series[catalog.series.index(FIRST) :]
    return [release for name in series if (release := catalog.newest(name)) is not None]


def plan(images: Images, release: Release, mode: GpuChoice) -> Plan | None:
    """The plan for a release in a mode; None where it is refused."""
    try:
        return make_plan(load(), images, release, Settings(mode), None)
    except PlanError:
        return None


def row(images: Images, release: Release) -> str:
    auto = plan(images, release, "auto")
    pythons = f"{auto.pythons[0]} to {auto.python}" if auto else "none"
    if auto and len(auto.pythons) == 1:
        pythons = auto.python
    targets = [
        release.series,
        pythons,
        system(plan(images, release, "system")),
        wheels(release) if plan(images, release, "pip") else "refused",
        "CPU" if plan(images, release, "none") else "refused",
        f"`{auto.gpu.mode}`" if auto else "refused",
    ]
    return f"| {' | '.join(targets)} |\n"


def wheels(release: Release) -> str:
    folders = overlooked_folders(release)
    named = format_list(f"`{part}`" for part in folders)
    return f"`and-cuda` wheels{f', with a path to {named}' if folders else ''}"


def system(plan: Plan | None) -> str:
    if plan is None:
        return "refused"
    unproven = "" if plan.gpu.proven else ", unproven"
    return f"CUDA {plan.gpu.cuda}, cuDNN {plan.gpu.cudnn}{unproven}"


def hosts_row(images: Images, mode: str) -> str:
    hosts = [f"{images.registry} (the image)"]
    if mode == "system":
        feature = images.cuda
        hosts.append(f"{feature.id.partition('/')[0]} (the feature)")
        hosts.append(f"{' and '.join(feature.downloads)} (CUDA, cuDNN and what they need)")
    what = "Poetry, packages, CUDA, cuDNN" if mode == "pip" else "Poetry, packages"
    hosts.append(f"PyPI ({what})")
    return f"| `{mode}` | {', '.join(hosts)} |\n"


def main() -> int:
    text = README.read_text("utf-8")
    new = SECTION.sub(lambda _: page(), text)
    if "--check" in sys.argv[1:]:
        print("up to date" if new == text else "run python .ci/containers_page.py")
        return int(new != text)
    README.write_text(new, "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
