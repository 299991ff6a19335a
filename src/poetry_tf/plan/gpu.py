"""How TensorFlow gets CUDA and cuDNN in the container."""

from __future__ import annotations

from poetry_tf.plan.model import CPU, GpuModeError, GpuPlan
from poetry_tf.plan.settings import GpuChoice
from poetry_tf.releases import Catalog, Release


def plan_gpu(
    catalog: Catalog, release: Release, choice: GpuChoice, *, has_wheels: bool = False
) -> GpuPlan:
    """The source of CUDA and cuDNN for a release; raises `PlanError` for a choice it can't have.

    ``auto`` takes the and-cuda wheels where the project requires them already (`has_wheels`), and
    never a pair that is not proven.
    """
    pair = catalog.container_pair(release)
    wheels = release.and_cuda is not None
    if choice == "none":
        return GpuPlan("none", "no GPU was asked for")
    if release.distribution == CPU:
        if choice == "auto":
            return GpuPlan("none", f"{CPU} is built without CUDA")
        raise GpuModeError(
            f'{CPU} is built without CUDA, so gpu can\'t be "{choice}"',
            f'Require tensorflow instead (`poetry tf init --gpu {choice}`), or use gpu = "none".',
        )
    if choice == "system":
        if pair is None:
            raise GpuModeError(
                f"No CUDA and cuDNN packages are known that TensorFlow {release.version} runs with",
                'Use gpu = "pip", "none" or "auto".' if wheels else _own_image(release),
            )
        why = "as asked for" if pair.proven else "as asked for; not proven for this TensorFlow"
        return GpuPlan("system", why, pair.cuda, pair.cudnn, pair.proven)
    if choice == "pip":
        if not wheels:
            first = next((item for item in catalog.releases if item.and_cuda is not None), None)
            since = f"; these begin with TensorFlow {first.version}" if first else ""
            raise GpuModeError(
                f"TensorFlow {release.version} has no and-cuda wheels{since}",
                'Use gpu = "system" or "auto".' if pair is not None else _own_image(release),
            )
        return GpuPlan("pip", "as asked for")
    if pair is not None and pair.proven and not (wheels and has_wheels):
        return GpuPlan("system", "a pair proven for this TensorFlow", pair.cuda, pair.cudnn)
    if wheels and pair is not None and pair.proven:
        return GpuPlan("pip", "the project asks for them")
    if wheels:
        return GpuPlan("pip", "no pair of CUDA and cuDNN packages is proven for this TensorFlow")
    return GpuPlan("none", "no CUDA and cuDNN are known that this TensorFlow runs with")


def _own_image(release: Release) -> str:
    """The remedy where neither CUDA packages nor wheels are known for a release."""
    return (
        'Use gpu = "none" or "auto", which go without CUDA, or TensorFlow\'s own GPU image, '
        f"tensorflow/tensorflow:{release.version}-gpu, in place of this container."
    )
