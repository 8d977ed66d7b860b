# %% [markdown]
# # Heatmark from Python
#
# Pictures explained, a method and a metric of your own, a sweep, and what it says. The network and the pictures come
# with the package: nothing is downloaded.

# %%
from dataclasses import dataclass

import heatmark as hm

model = hm.load_model("shapes_residual")
images = hm.load_images("shapes", limit=12)

# %% [markdown]
# Maps of a picture, for the class that the model predicts and for another one. What `explain` returns shows itself.

# %%
hm.explain(model, images[3].image, ["grad_cam", "layer_cam", "captum_saliency"], target=["predicted", "circle"])


# %% [markdown]
# A method is a function from model, images, targets and a layer to maps, or a class with options. A metric is a class
# that reads a batch of explained images.


# %%
def brightness(model, images, targets, layer):
    return images.mean(1)


@dataclass(frozen=True)
class ReversedGradCAM(hm.methods.GradCAM):
    scale: float = 1.0

    def __call__(self, model, images, targets, layer):
        return -self.scale * super().__call__(model, images, targets, layer)


@dataclass(frozen=True)
class AreaAboveHalf(hm.Metric):
    higher_is_better = None  # it describes maps and ranks none

    def __call__(self, batch):
        flat = batch.maps.flatten(1)
        return hm.Scores((flat > flat.amax(1, keepdim=True) / 2).float().mean(1))


# %%
run = hm.sweep(
    model,
    images,
    ["grad_cam", "captum_saliency", ReversedGradCAM(), brightness, "random"],
    ["deletion(steps=14)", "insertion(steps=14)", AreaAboveHalf()],
    out="runs/first_steps",
)
run

# %%
run.compare("grad_cam", "random")[["metric", "difference", "ci_low", "ci_high", "p_value", "n"]]

# %% [markdown]
# Maps that were made anywhere are scored as a sweep scores its own.

# %%
maps = hm.explain(model, images, ["grad_cam"]).raw["grad_cam"]
hm.score(maps, model, images, ["deletion(steps=14)"])["value"].describe()

# %% [markdown]
# Is an implementation right? One that is not, is told so, with the stage at which it goes wrong.

# %%
hm.check(ReversedGradCAM(), against="grad_cam")
