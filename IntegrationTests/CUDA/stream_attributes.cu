// Attributes of streams: access policy, synchronization policy, and copying them.
#include "check.cuh"

int main()
{
    cudaStream_t first, second;
    OK(cudaStreamCreate(&first));
    OK(cudaStreamCreate(&second));
    void *const window = device_array<char>(1 << 16);
    cudaStreamAttrValue value = {}, back = {};
    value.accessPolicyWindow.base_ptr = window;
    value.accessPolicyWindow.num_bytes = 1 << 12;
    value.accessPolicyWindow.hitRatio = 0.5f;
    value.accessPolicyWindow.hitProp = cudaAccessPropertyPersisting;
    value.accessPolicyWindow.missProp = cudaAccessPropertyStreaming;
    OK(cudaStreamSetAttribute(first, cudaStreamAttributeAccessPolicyWindow, &value));
    OK(cudaStreamGetAttribute(second, cudaStreamAttributeAccessPolicyWindow, &back));
    REQUIRE(back.accessPolicyWindow.num_bytes == 0);
    OK(cudaStreamCopyAttributes(second, first));
    OK(cudaStreamGetAttribute(second, cudaStreamAttributeAccessPolicyWindow, &back));
    REQUIRE(back.accessPolicyWindow.base_ptr == window && back.accessPolicyWindow.num_bytes == 1 << 12);
    REQUIRE(back.accessPolicyWindow.hitRatio == 0.5f);
    REQUIRE(back.accessPolicyWindow.hitProp == cudaAccessPropertyPersisting);
    value = {};
    value.syncPolicy = cudaSyncPolicyBlockingSync;
    OK(cudaStreamSetAttribute(first, cudaStreamAttributeSynchronizationPolicy, &value));
    OK(cudaStreamGetAttribute(first, cudaStreamAttributeSynchronizationPolicy, &back));
    REQUIRE(back.syncPolicy == cudaSyncPolicyBlockingSync);
    OK(cudaCtxResetPersistingL2Cache());
    OK(cudaStreamDestroy(first));
    OK(cudaStreamDestroy(second));
    return pass();
}
