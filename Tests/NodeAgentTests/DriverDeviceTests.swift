import NodeModel
import Testing

@testable import NodeAgent

@Suite("GPUs with a driver")
struct DriverDeviceTests {
    @Test("The worker's list becomes devices, and lines that read otherwise are left out")
    func parsing() {
        let text = """
            0 00112233445566778899aabbccddeeff 150754820096 132 90 NVIDIA H200
            1 00112233445566778899aabbccddee00 85520809984 108 80 NVIDIA A100-SXM4-80GB
            nonsense
            2 short 12
            64 00112233445566778899aabbccddeeff 150754820096 132 90 beyond the last
            3 00112233445566778899aabbccddeeff 4096 1 10 too small

            """
        let devices = DriverDevices.parse(text)
        #expect(devices.map(\.name) == ["NVIDIA H200", "NVIDIA A100-SXM4-80GB"])
        #expect(devices.map(\.id.rawValue) == ["gpu-0", "gpu-1"])
        #expect(devices.map(\.ordinal) == [0, 1])
        #expect(devices[0].memory.byteCount == 150_754_820_096 - DriverDevices.reservedMemory.byteCount)
    }

    @Test("A machine without a driver has no such devices, and nothing fails")
    func noDriver() {
        for program in ["/bin/false", "/nowhere/roost-worker"] {
            #expect(DriverDiscovery(workerExecutable: program, environment: [:]).devices() == [])
        }
    }

    @Test("A vGPU on a driver's device has a worker with that driver and device, and the GPU's own name")
    func workerArguments() {
        var random = SeededRandom(seed: 3)
        let request = GPURequest(memory: .gibibytes(1), compute: .whole, program: "test")
        let vgpu = VirtualGPU(
            id: VirtualGPUID(rawValue: "vgpu-test"), uuid: VirtualGPU.randomUUID(using: &random),
            placed: Placement(device: DeviceID(rawValue: "gpu-1")), for: request, lease: LeaseID(rawValue: 1),
            createdAt: 0)
        var setting = WorkerSetting(
            vgpu: vgpu, kind: .cuda, deviceName: "NVIDIA H200", listenEndpoints: ["unix:///s"], tokenFile: "/t",
            readyDescriptor: 3)
        setting.ordinal = 1
        setting.driver = "/lib/libcuda.so.1"
        let text = setting.arguments.joined(separator: " ")
        #expect(text.hasPrefix("--backend cuda --listen unix:///s --vram 1024MiB --compute"))
        #expect(text.contains("--device 1 --driver /lib/libcuda.so.1"))
        #expect(!text.contains("--name"))
    }
}
