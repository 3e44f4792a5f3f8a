extern "C" __global__ void doubleMath(const double* x, double* y, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    double v = x[i];
    y[i] = sqrt(v) + 1.0 / v + exp(v) * sin(v) - log(fabs(v)) + pow(v, 2.5) + floor(v) + fma(v, v, v) + __drcp_rz(v)
        + fmin(v, 2.0) + (isnan(v) ? 1.0 : 0.0);
}
