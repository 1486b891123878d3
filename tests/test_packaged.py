"""Networks whose weights come inside packages: they answer as the packages' own code does."""

from pathlib import Path

import numpy as np
import pytest
import torch

from sightlab.errors import ModelError
from sightlab.models.packaged import (
    PACKAGED,
    efficientnet_lite,
    imagenet_classes,
    packaged_model,
    resized_positions,
)


def test_imagenet_has_a_thousand_names_and_they_differ() -> None:
    classes = imagenet_classes()
    assert (len(classes), len(set(classes))) == (1000, 1000)
    assert (classes[0], classes[281]) == ("tench", "tabby")


def test_efficientnet_lite0_takes_bytes_and_gives_imagenets_logits() -> None:
    """An image of noise is nothing for certain; a network whose weights were mixed up says the same of every image."""
    classifier, known = packaged_model("pretrained/efficientnet-lite0")
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (2, known.size, known.size, 3), generator=generator, dtype=torch.uint8)
    images[1] = 255
    with torch.inference_mode():
        logits = classifier(images)
    assert logits.shape == (2, 1000)
    assert not torch.allclose(logits[0], logits[1], atol=0.1)


@pytest.mark.slow
def test_the_vit_gives_the_features_that_the_onnx_file_gives() -> None:
    """onnxruntime runs the file's own graph up to the last norm of the encoder."""
    import onnx
    import onnxruntime

    classifier, known = packaged_model("pretrained/vit-s14-focus")
    from importlib import resources

    model = onnx.load(str(resources.files(known.module) / known.file))
    last = next(node.output[0] for node in model.graph.node if "backbone.layernorm.bias" in node.input)
    model.graph.output.append(onnx.helper.make_tensor_value_info(last, onnx.TensorProto.FLOAT, None))
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    images = torch.randint(0, 256, (1, 224, 224, 3), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    pixels = classifier.normalised(images)
    with torch.inference_mode():
        ours = classifier.net.forward_features(pixels).numpy()  # type: ignore[operator]
    np.testing.assert_allclose(ours, session.run([last], {"input_image": pixels.numpy()})[0], atol=1e-4)
    assert (known.answers, "it is not DINO" in known.about) == (False, True)


def test_positions_keep_their_class_token_and_their_mean() -> None:
    positions = torch.randn(1, 1 + 36, 4, generator=torch.Generator().manual_seed(0))
    resized = resized_positions(positions, 3)
    assert resized.shape == (1, 10, 4)
    assert torch.equal(resized[:, 0], positions[:, 0])
    constant = torch.full((1, 1 + 36, 4), 2.0)
    torch.testing.assert_close(resized_positions(constant, 4), torch.full((1, 17, 4), 2.0))


def test_an_unknown_name_and_weights_of_another_network_are_one_line(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="did you mean efficientnet-lite0"):
        packaged_model("pretrained/efficientnet-lite")
    file = tmp_path / "other.pth"
    torch.save({"weight": torch.zeros(3)}, file)
    with pytest.raises(ModelError, match="its weights are not those of timm/tf_efficientnet_lite0"):
        efficientnet_lite("timm/tf_efficientnet_lite0")(file)
    assert set(PACKAGED) == {"efficientnet-lite0", "vit-s14-focus"}
