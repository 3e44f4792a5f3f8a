typedef float (*Operation)(float, float);
__device__ __noinline__ float add(float a, float b) { return a + b; }
__device__ __noinline__ float multiply(float a, float b) { return a * b; }
__device__ __noinline__ float subtract(float a, float b) { return a - b; }
__device__ Operation operations[3] = {add, multiply, subtract};

struct Shape { __device__ virtual float area() const = 0; };
struct Square : Shape { float side; __device__ float area() const override { return side * side; } };
struct Circle : Shape { float radius; __device__ float area() const override { return 3.14159f * radius * radius; } };

extern "C" __global__ void applyPointers(const int* which, float* a, const float* b) {
    a[threadIdx.x] = operations[which[threadIdx.x] % 3](a[threadIdx.x], b[threadIdx.x]);
}

extern "C" __global__ void virtualCalls(const int* which, float* a) {
    Square square; square.side = a[threadIdx.x];
    Circle circle; circle.radius = a[threadIdx.x];
    const Shape* shape = which[threadIdx.x] ? (const Shape*)&square : (const Shape*)&circle;
    a[threadIdx.x] = shape->area();
}
