struct Inner { char tag; double weight; };
struct Parameters { int count; float factors[5]; Inner inner; short tail; };
struct alignas(16) Wide { float4 v; };
struct Empty {};

extern "C" __global__ void structParameters(Parameters p, const int* in, Wide w, char c, Empty e, float* out) {
    int i = threadIdx.x;
    if (i < p.count) out[i] = in[i] * p.factors[i % 5] + (float)p.inner.weight + p.inner.tag + p.tail + w.v.z + c;
}
