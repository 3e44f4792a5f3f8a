import CNVML
import CPosix
import NVMLClient
import Primitives
import Testing
import Transport
import WireProtocol

/// The library has one state for the process, and reads the environment: one test at a time.
@Suite("NVML", .serialized, .timeLimit(.minutes(1)))
struct NVMLDriverTests {
    private static func status(totalByteCount: UInt64 = 4 << 30) -> VGPUStatus {
        var status = VGPUStatus()
        status.device.name = [UInt8]("Roost vGPU".utf8)
        status.device.uuidHigh = 0x0011_2233_4455_6677
        status.device.uuidLow = 0x8899_AABB_CCDD_EEFF
        status.device.totalByteCount = totalByteCount
        status.device.attributes = [(13, 1_500_000), (16, 4), (75, 8), (76, 9)]
        status.usedByteCount = 1 << 20
        status.utilizationPercent = 37
        status.processes = [
            .init(processID: 10, usedByteCount: 100, name: [UInt8]("python3".utf8)),
            .init(processID: 11, usedByteCount: 7, name: [UInt8]("other".utf8)),
            .init(processID: 10, usedByteCount: 50, name: [UInt8]("python3".utf8)),
        ]
        return status
    }

    /// Runs `body` in a process that has these workers.
    private func withWorkers(_ workers: [StatusWorker], _ body: () throws -> Void) throws {
        setenv("ROOST_ENDPOINT", workers.map(\.endpoint).joined(separator: ";"), 1)
        #expect(NVMLDriver.initialize() == NVML_SUCCESS)
        defer {
            #expect(NVMLDriver.shutdown() == NVML_SUCCESS)
            unsetenv("ROOST_ENDPOINT")
            for worker in workers { worker.stop() }
        }
        try body()
    }

    private func device(_ index: UInt32) -> nvmlDevice_t? {
        var device: nvmlDevice_t?
        #expect(NVMLDriver.deviceGetHandleByIndexV2(index, &device) == NVML_SUCCESS)
        return device
    }

    private func text(_ count: UInt32, _ body: (UnsafeMutablePointer<CChar>?, UInt32) -> nvmlReturn_t) -> String? {
        var buffer = [CChar](repeating: 0x55, count: Int(count))
        let result = buffer.withUnsafeMutableBufferPointer { body($0.baseAddress, count) }
        guard result == NVML_SUCCESS, let end = buffer.firstIndex(of: 0) else { return nil }
        return String(decoding: buffer[..<end].map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    @Test("Without a worker the driver is not loaded, and nothing works")
    func noWorker() {
        unsetenv("ROOST_ENDPOINT")
        #expect(NVMLDriver.initialize() == NVML_ERROR_DRIVER_NOT_LOADED)
        setenv("ROOST_ENDPOINT", "unix:///nowhere/at/all", 1)
        #expect(NVMLDriver.initialize() == NVML_ERROR_DRIVER_NOT_LOADED)
        unsetenv("ROOST_ENDPOINT")
        var count: UInt32 = 0
        #expect(NVMLDriver.deviceGetCountV2(&count) == NVML_ERROR_UNINITIALIZED)
        #expect(NVMLDriver.shutdown() == NVML_ERROR_UNINITIALIZED)
    }

    @Test("A device has the name, memory, load and UUID of its vGPU")
    func facts() throws {
        try withWorkers([try StatusWorker(NVMLDriverTests.status())]) {
            let device = device(0)
            #expect(text(96) { NVMLDriver.deviceGetName(device, $0, $1) } == "Roost vGPU")
            #expect(
                text(80) { NVMLDriver.deviceGetUUID(device, $0, $1) } == "GPU-00112233-4455-6677-8899-aabbccddeeff")
            var memory = nvmlMemory_t()
            #expect(NVMLDriver.deviceGetMemoryInfo(device, &memory) == NVML_SUCCESS)
            #expect(memory.total == 4 << 30 && memory.used == 1 << 20 && memory.free == (4 << 30) - (1 << 20))
            var load = nvmlUtilization_t()
            #expect(NVMLDriver.deviceGetUtilizationRates(device, &load) == NVML_SUCCESS)
            #expect(load.gpu == 37)
            var major: Int32 = 0
            var minor: Int32 = 0
            #expect(NVMLDriver.deviceGetCudaComputeCapability(device, &major, &minor) == NVML_SUCCESS)
            #expect(major == 8 && minor == 9)
            var cores: UInt32 = 0
            #expect(NVMLDriver.deviceGetNumGpuCores(device, &cores) == NVML_SUCCESS)
            #expect(cores == 512)
            var clock: UInt32 = 0
            #expect(NVMLDriver.deviceGetClockInfo(device, NVML_CLOCK_SM, &clock) == NVML_SUCCESS)
            #expect(clock == 1500)
            #expect(NVMLDriver.deviceGetClockInfo(device, NVML_CLOCK_MEM, &clock) == NVML_ERROR_NOT_SUPPORTED)
        }
    }

    @Test("The second version of the memory's structure must say its version")
    func memoryVersion() throws {
        try withWorkers([try StatusWorker(NVMLDriverTests.status())]) {
            var memory = nvmlMemory_v2_t()
            #expect(NVMLDriver.deviceGetMemoryInfoV2(device(0), &memory) == NVML_ERROR_ARGUMENT_VERSION_MISMATCH)
            memory.version = 0x200_0028
            #expect(NVMLDriver.deviceGetMemoryInfoV2(device(0), &memory) == NVML_SUCCESS)
            #expect(memory.total == 4 << 30 && memory.version == 0x200_0028)
        }
    }

    @Test("Processes come in two calls, one entry for each")
    func processes() throws {
        try withWorkers([try StatusWorker(NVMLDriverTests.status())]) {
            let device = device(0)
            var count: UInt32 = 0
            let first = NVMLDriver.deviceGetComputeRunningProcessesV3(device, &count, nil)
            #expect(first == NVML_ERROR_INSUFFICIENT_SIZE && count == 2)
            count = 1
            var one = [nvmlProcessInfo_t](repeating: nvmlProcessInfo_t(), count: 1)
            #expect(
                NVMLDriver.deviceGetComputeRunningProcessesV3(device, &count, &one) == NVML_ERROR_INSUFFICIENT_SIZE)
            #expect(one[0].pid == 0)
            count = 4
            var all = [nvmlProcessInfo_t](repeating: nvmlProcessInfo_t(), count: 4)
            #expect(NVMLDriver.deviceGetComputeRunningProcessesV3(device, &count, &all) == NVML_SUCCESS)
            #expect(count == 2 && all[0].pid == 10 && all[0].usedGpuMemory == 150 && all[1].pid == 11)
            #expect(all[0].gpuInstanceId == UInt32.max)
            count = 2
            var old = [nvmlProcessInfo_v1_t](repeating: nvmlProcessInfo_v1_t(), count: 2)
            #expect(NVMLDriver.deviceGetComputeRunningProcesses(device, &count, &old) == NVML_SUCCESS)
            #expect(old[1].pid == 11 && old[1].usedGpuMemory == 7)
            #expect(NVMLDriver.deviceGetGraphicsRunningProcessesV3(device, &count, nil) == NVML_SUCCESS)
            #expect(count == 0)
            #expect(text(16) { NVMLDriver.systemGetProcessName(11, $0, $1) } == "other")
            #expect(text(4) { NVMLDriver.systemGetProcessName(10, $0, $1) } == "pyt")
            #expect(text(16) { NVMLDriver.systemGetProcessName(12, $0, $1) } == nil)
        }
    }

    @Test("Devices are found by number, PCI address and UUID, and handles that were never given are refused")
    func finding() throws {
        let workers = [
            try StatusWorker(NVMLDriverTests.status()), try StatusWorker(NVMLDriverTests.status(totalByteCount: 1)),
        ]
        workers[1].status.device.uuidLow = 1
        try withWorkers(workers) {
            var count: UInt32 = 0
            #expect(NVMLDriver.deviceGetCount(&count) == NVML_SUCCESS && count == 2)
            let second = try #require(device(1))
            var place = nvmlPciInfo_t()
            #expect(NVMLDriver.deviceGetPciInfoV3(second, &place) == NVML_SUCCESS)
            let busID = withUnsafeBytes(of: place.busId) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
            #expect(busID == "00000000:02:00.0" && place.bus == 2 && place.domain == 0)
            for text in [busID, "0000:02:00.0", "02:00.0", "2:0"] {
                var found: nvmlDevice_t?
                #expect(NVMLDriver.deviceGetHandleByPciBusIdV2(text, &found) == NVML_SUCCESS && found == second)
            }
            var found: nvmlDevice_t?
            for text in ["00000000:03:00.0", "", ":", "02", "x:y", "1:2:3:4:5", "0001:02:00.0", "02:01.0"] {
                #expect(NVMLDriver.deviceGetHandleByPciBusIdV2(text, &found) == NVML_ERROR_NOT_FOUND)
            }
            let uuid = try #require(text(80) { NVMLDriver.deviceGetUUID(second, $0, $1) })
            #expect(NVMLDriver.deviceGetHandleByUUID(uuid, &found) == NVML_SUCCESS && found == second)
            #expect(NVMLDriver.deviceGetHandleByUUID("GPU-", &found) == NVML_ERROR_NOT_FOUND)
            #expect(NVMLDriver.deviceGetHandleByUUID(uuid + "0", &found) == NVML_ERROR_NOT_FOUND)
            #expect(NVMLDriver.deviceGetHandleByIndex(2, &found) == NVML_ERROR_INVALID_ARGUMENT)
            for bits: UInt in [0, 1, 8, UInt.max, UInt(bitPattern: second) + 16, UInt(bitPattern: second) + 1] {
                let wrong = nvmlDevice_t(bitPattern: bits)
                #expect(NVMLDriver.deviceGetIndex(wrong, &count) == NVML_ERROR_INVALID_ARGUMENT)
            }
            #expect(NVMLDriver.deviceGetIndex(second, nil) == NVML_ERROR_INVALID_ARGUMENT)
        }
    }

    @Test("The structure of the older PCI function is not written beyond its end")
    func oldPCIStructure() throws {
        try withWorkers([try StatusWorker(NVMLDriverTests.status())]) {
            var place = nvmlPciInfo_t()
            withUnsafeMutableBytes(of: &place) { bytes in bytes.indices.forEach { bytes[$0] = 0x55 } }
            #expect(NVMLDriver.deviceGetPciInfoV2(device(0), &place) == NVML_SUCCESS)
            #expect(place.bus == 1)
            let isUntouched = withUnsafeBytes(of: place.busId) { $0.allSatisfy { $0 == 0x55 } }
            #expect(isUntouched)
        }
    }

    @Test("A text that does not fit is refused")
    func shortBuffer() throws {
        try withWorkers([try StatusWorker(NVMLDriverTests.status())]) {
            var buffer = [CChar](repeating: 0, count: 16)
            #expect(NVMLDriver.deviceGetName(device(0), &buffer, 10) == NVML_ERROR_INSUFFICIENT_SIZE)
            #expect(NVMLDriver.deviceGetName(device(0), &buffer, 11) == NVML_SUCCESS)
            #expect(NVMLDriver.deviceGetName(device(0), &buffer, 0) == NVML_ERROR_INSUFFICIENT_SIZE)
            #expect(NVMLDriver.deviceGetName(device(0), nil, 11) == NVML_ERROR_INVALID_ARGUMENT)
        }
    }

    @Test("A dead worker's device is lost, the others stay; a new worker in its place is found")
    func death() throws {
        let first = try StatusWorker(NVMLDriverTests.status())
        let second = try StatusWorker(NVMLDriverTests.status())
        try withWorkers([first, second]) {
            let device = device(0)
            var memory = nvmlMemory_t()
            first.stop()
            var result = NVMLDriver.deviceGetMemoryInfo(device, &memory)
            while result == NVML_SUCCESS { result = NVMLDriver.deviceGetMemoryInfo(device, &memory) }
            #expect(result == NVML_ERROR_GPU_IS_LOST)
            #expect(NVMLDriver.deviceGetMemoryInfo(self.device(1), &memory) == NVML_SUCCESS)
            let replacement = try StatusWorker(NVMLDriverTests.status(totalByteCount: 3 << 20), path: first.path)
            #expect(NVMLDriver.deviceGetMemoryInfo(device, &memory) == NVML_SUCCESS)
            #expect(memory.total == 3 << 20)
            replacement.stop()
        }
    }

    @Test("A worker that answers wrongly is as good as lost", arguments: [1, 2, 3])
    func misbehavior(_ number: Int) throws {
        let worker = try StatusWorker(NVMLDriverTests.status())
        let kinds: [StatusWorker.Misbehavior] = [.none, .wrongSequence, .garbage, .failure]
        try withWorkers([worker]) {
            worker.misbehave(kinds[number])
            var memory = nvmlMemory_t()
            let device = device(0)
            var result = NVMLDriver.deviceGetMemoryInfo(device, &memory)
            while result == NVML_SUCCESS { result = NVMLDriver.deviceGetMemoryInfo(device, &memory) }
            #expect(result == NVML_ERROR_GPU_IS_LOST)
        }
    }

    @Test("Questions in quick succession cost one query")
    func freshness() throws {
        let worker = try StatusWorker(NVMLDriverTests.status())
        try withWorkers([worker]) {
            let device = device(0)
            var memory = nvmlMemory_t()
            let start = posix_monotonic_nanoseconds()
            for _ in 0..<1000 { #expect(NVMLDriver.deviceGetMemoryInfo(device, &memory) == NVML_SUCCESS) }
            let periods = (posix_monotonic_nanoseconds() - start) / 50_000_000
            #expect(worker.questions <= 2 + Int(periods))
        }
    }

    @Test("A wrong token is no permission")
    func token() throws {
        let worker = try StatusWorker(NVMLDriverTests.status(), token: [UInt8]("secret".utf8))
        defer { worker.stop() }
        setenv("ROOST_ENDPOINT", worker.endpoint, 1)
        #expect(NVMLDriver.initialize() == NVML_ERROR_NO_PERMISSION)
        setenv("ROOST_TOKEN", "secret", 1)
        #expect(NVMLDriver.initialize() == NVML_SUCCESS)
        #expect(NVMLDriver.shutdown() == NVML_SUCCESS)
        unsetenv("ROOST_TOKEN")
        unsetenv("ROOST_ENDPOINT")
    }

    @Test("Each initialization needs its own shutdown")
    func counting() throws {
        try withWorkers([try StatusWorker(NVMLDriverTests.status())]) {
            #expect(NVMLDriver.initWithFlags(0) == NVML_SUCCESS)
            #expect(NVMLDriver.shutdown() == NVML_SUCCESS)
            var count: UInt32 = 0
            #expect(NVMLDriver.deviceGetCount(&count) == NVML_SUCCESS)
        }
    }

    @Test("Every result code has a sentence, an unknown one too")
    func errorText() {
        for code: UInt32 in [0, 1, 7, 15, 999, 12345] {
            let text = NVMLDriver.errorString(nvmlReturn_t(rawValue: code))
            #expect(text != nil && text?.pointee != 0)
        }
        #expect(text(80) { NVMLDriver.systemGetNVMLVersion($0, $1) } == "13.580.65.06")
        var version: Int32 = 0
        #expect(NVMLDriver.systemGetCudaDriverVersionV2(&version) == NVML_SUCCESS && version == 13_050)
    }
}
