import NodeModel
import Testing

@Suite("Environment of programs")
struct ClientEnvironmentTests {
    private func setting(isSoftware: Bool = true, isStrict: Bool = false, standIns: [String] = []) -> ClientSetting {
        ClientSetting(
            endpoints: ["shm:///a", "unix:///b"], vgpus: ["vgpu-1", "vgpu-2"], token: "secret", isSoftware: isSoftware,
            isStrict: isStrict,
            files: ClientFiles(libraryDirectory: "/x/lib", toolDirectory: "/x/libexec", standIns: standIns))
    }

    @Test("A program finds its workers and our libraries")
    func place() {
        let environment = clientEnvironment(for: setting(), inheriting: ["HOME": "/root"])
        #expect(environment["ROOST_ENDPOINT"] == "shm:///a;unix:///b")
        #expect(environment["ROOST_TOKEN"] == "secret")
        #expect(environment["ROOST_VGPU"] == "vgpu-1;vgpu-2")
        #expect(environment["LD_LIBRARY_PATH"] == "/x/lib")
        #expect(environment["HOME"] == "/root")
        #expect(environment["ROOST_STRICT"] == nil)
        #expect(environment["LD_PRELOAD"] == nil)
    }

    @Test("Our library folder comes before the caller's, and an empty list gains no empty entry")
    func libraryPath() {
        let searched = clientEnvironment(for: setting(), inheriting: ["LD_LIBRARY_PATH": "/a:/b"])
        #expect(searched["LD_LIBRARY_PATH"] == "/x/lib:/a:/b")
        let empty = clientEnvironment(for: setting(), inheriting: ["LD_LIBRARY_PATH": ""])
        #expect(empty["LD_LIBRARY_PATH"] == "/x/lib")
    }

    @Test("The caller's choice among real devices is dropped, and a stale token too")
    func staleVariables() {
        var place = setting()
        place.token = nil
        place.vgpus = []
        let environment = clientEnvironment(
            for: place, inheriting: ["CUDA_VISIBLE_DEVICES": "3", "ROOST_TOKEN": "old", "ROOST_VGPU": "old"])
        #expect(environment["CUDA_VISIBLE_DEVICES"] == nil)
        #expect(environment["ROOST_TOKEN"] == nil)
        #expect(environment["ROOST_VGPU"] == nil)
    }

    @Test("A software vGPU makes clients hand over PTX, unless the caller chose otherwise")
    func portableCode() {
        let standIns = ["/x/lib/standin/libnvJitLink.so.12", "/x/lib/standin/libnvJitLink.so.13"]
        let environment = clientEnvironment(
            for: setting(standIns: standIns), inheriting: ["TRITON_PTXAS_PATH": "/own/ptxas", "LD_PRELOAD": "/own.so"])
        #expect(environment["CUPY_COMPILE_WITH_PTX"] == "1")
        #expect(environment["TRITON_PTXAS_PATH"] == "/own/ptxas")
        #expect(environment["TRITON_PTXAS_BLACKWELL_PATH"] == "/x/libexec/ptxas")
        #expect(environment["LD_PRELOAD"] == standIns.joined(separator: ":") + ":/own.so")
    }

    @Test("A real device needs none of that")
    func realDevice() {
        let environment = clientEnvironment(
            for: setting(isSoftware: false, isStrict: true, standIns: ["/x/a.so"]), inheriting: [:])
        #expect(
            Set(environment.keys) == [
                "ROOST_ENDPOINT", "ROOST_TOKEN", "ROOST_VGPU", "ROOST_STRICT", "LD_LIBRARY_PATH",
            ])
        #expect(environment["ROOST_STRICT"] == "1")
    }

    @Test("A worker is told everything but its secret")
    func workerArguments() throws {
        var random = SeededRandom(seed: 3)
        let request = GPURequest(
            memory: MemorySize(byteCount: (512 << 20) + 1), compute: try #require(ComputeShare(percent: 30)),
            program: "test")
        var vgpu = VirtualGPU(
            id: VirtualGPUID(rawValue: "vgpu-test"), uuid: VirtualGPU.randomUUID(using: &random),
            placed: Placement(device: DeviceID(rawValue: "software-0")), for: request, lease: LeaseID(rawValue: 1),
            createdAt: 0)
        vgpu.uuid = "u"
        let setting = WorkerSetting(
            vgpu: vgpu, kind: .software, deviceName: "GPU", listenEndpoints: ["tcp://127.0.0.1:1", "unix:///s"],
            tokenFile: "/t", readyDescriptor: 3)
        #expect(
            setting.arguments.joined(separator: " ")
                == "--backend software --listen tcp://127.0.0.1:1 --listen unix:///s --vram 513MiB --compute 30 "
                + "--name GPU (vgpu-test) --uuid u --token-file /t --ready-fd 3 --exit-with-stdin --parent-death")

        vgpu.computeCapability = ComputeCapability(parsing: "13.0")
        var told = setting
        told.vgpu = vgpu
        #expect(told.arguments.joined(separator: " ").contains(" --compute-capability 13.0 "))

        told.identity = TLSIdentityFiles(certificate: "/c", key: "/k")
        #expect(!told.arguments.contains("--tls-key"))
        told.listenEndpoints = ["tls://10.0.0.1:1#00", "shm:///s"]
        let text = told.arguments.joined(separator: " ")
        #expect(text.contains(" --listen shm:///s --tls-certificate /c --tls-key /k "))
        #expect(!text.contains("--insecure"))
    }

    @Test(
        "A compute capability is a number of 7.5 to 13.0",
        arguments: ["7.4", "13.1", "8", "8.00", "-8.0", "", "8.a"])
    func badCapabilities(text: String) {
        #expect(ComputeCapability(parsing: text) == nil)
        #expect(ComputeCapability(parsing: "13.0")?.number == 130)
        #expect(ComputeCapability(parsing: "7.5")?.description == "7.5")
    }
}
