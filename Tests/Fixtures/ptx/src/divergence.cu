extern "C" __global__ void mandelbrot(int* output, int width, int limit) {
    int px = blockIdx.x * blockDim.x + threadIdx.x, py = blockIdx.y * blockDim.y + threadIdx.y;
    float cx = px * 3.0f / width - 2.0f, cy = py * 2.0f / width - 1.0f, x = 0, y = 0;
    int count = 0;
    while (x * x + y * y < 4.0f && count < limit) {
        float next = x * x - y * y + cx;
        y = 2 * x * y + cy;
        x = next;
        count++;
    }
    output[py * width + px] = count;
}

extern "C" __global__ void branches(int* values) {
    int v = values[threadIdx.x];
    switch (v & 15) {
    case 0: v += 5; break;
    case 1: v *= 7; break;
    case 2: v = -v; break;
    case 3: return;
    case 4: v ^= 0x55; break;
    case 5: v = v % 9;
    case 6: v += 100; break;
    case 7: while (v > 3) v >>= 1; break;
    case 8: v = v > 40 ? v - 40 : v + 40; break;
    default: if (threadIdx.x & 1) goto done; v = 1;
    }
    v += 1000;
done:
    values[threadIdx.x] = v;
}

extern "C" __global__ void collatz(unsigned* values) {
    unsigned v = values[threadIdx.x], steps = 0;
    for (; v != 1 && steps < 1000; steps++) {
        if (v & 1) { v = 3 * v + 1; if (v > 1000000u) break; } else { v /= 2; if (v == 27) continue; }
    }
    values[threadIdx.x] = steps;
}
