internal import CCUDA
internal import CUDABinding

/// What the result file tells of driver and device.
enum DeviceFacts {
    /// Sends what can be found out; a driver that can't answer leaves it out.
    static func send(_ cuda: CUDALibrary) {
        var version: Int32 = 0
        if (try? cuda.cuDriverGetVersion(&version)) != nil {
            ChildMessage.send(fact: "cudaVersion", "\(version / 1000).\(version % 1000 / 10)")
        }
        var device: CUdevice = 0
        guard (try? cuda.cuInit(0)) != nil, (try? cuda.cuDeviceGet(&device, 0)) != nil else { return }
        var count: Int32 = 0
        if (try? cuda.cuDeviceGetCount(&count)) != nil { ChildMessage.send(fact: "deviceCount", "\(count)") }
        var name = [CChar](repeating: 0, count: 256)
        if (try? cuda.cuDeviceGetName(&name, 256, device)) != nil {
            let text = String(decoding: name.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
            ChildMessage.send(fact: "deviceName", text)
        }
        var byteCount = 0
        if (try? cuda.cuDeviceTotalMem_v2(&byteCount, device)) != nil {
            ChildMessage.send(fact: "memoryBytes", "\(byteCount)")
        }
        let attributes = [
            ("computeCapabilityMajor", CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR),
            ("computeCapabilityMinor", CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR),
            ("multiprocessorCount", CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT),
            ("clockKilohertz", CU_DEVICE_ATTRIBUTE_CLOCK_RATE),
            ("copyEngineCount", CU_DEVICE_ATTRIBUTE_ASYNC_ENGINE_COUNT),
        ]
        for (name, attribute) in attributes {
            var value: Int32 = 0
            if (try? cuda.cuDeviceGetAttribute(&value, attribute, device)) != nil {
                ChildMessage.send(fact: name, "\(value)")
            }
        }
    }
}
