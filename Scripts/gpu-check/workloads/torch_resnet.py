"""Inference with a ResNet of 50 layers, written here."""

from measure import IS_QUICK, finish, since_start, torch_digest, torch_or_skip, torch_steps

torch = torch_or_skip()
from torch import nn  # noqa: E402


def convolution(inputs, outputs, size, stride=1):
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, size, stride, size // 2, bias=False), nn.BatchNorm2d(outputs))


class Bottleneck(nn.Module):
    def __init__(self, inputs, width, stride):
        super().__init__()
        self.first = convolution(inputs, width, 1)
        self.second = convolution(width, width, 3, stride)
        self.third = convolution(width, 4 * width, 1)
        same = inputs == 4 * width and stride == 1
        self.side = nn.Identity() if same else convolution(inputs, 4 * width, 1, stride)

    def forward(self, image):
        hidden = torch.relu(self.second(torch.relu(self.first(image))))
        return torch.relu(self.third(hidden) + self.side(image))


def resnet():
    layers = [convolution(3, 64, 7, 2), nn.ReLU(), nn.MaxPool2d(3, 2, 1)]
    inputs = 64
    for width, count, stride in [(64, 3, 1), (128, 4, 2), (256, 6, 2), (512, 3, 2)]:
        for index in range(count):
            layers.append(Bottleneck(inputs, width, stride if index == 0 else 1))
            inputs = 4 * width
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(inputs, 1000))


model = resnet().cuda().half().eval().to(memory_format=torch.channels_last)
images = torch.randn(8 if IS_QUICK else 64, 3, 224, 224, generator=torch.Generator().manual_seed(3))
images = images.half().pin_memory()
last = None


@torch.no_grad()
def step():
    global last
    last = model(images.cuda(non_blocking=True).contiguous(memory_format=torch.channels_last))


step()
torch.cuda.synchronize()
started = since_start()
measured = torch_steps(torch, step, 3, 5 if IS_QUICK else 20)
finish(**measured, startSeconds=started, digest=torch_digest(last), values=last[0, :4].float().tolist())
