import Foundation
import NodeModel
import Testing

@testable import NodeAgent

@Suite("State directory")
struct StateDirectoryTests {
    @Test("The flag wins over the variable, and the variable over the user's runtime folder")
    func choice() {
        let variables = ["ROOST_STATE_DIR": "/from/variable", "XDG_RUNTIME_DIR": "/run/user/5"]
        #expect(StateDirectory(flag: "/from/flag", environment: variables).path == "/from/flag")
        #expect(StateDirectory(flag: nil, environment: variables).path == "/from/variable")
        let runtime = ["XDG_RUNTIME_DIR": "/run/user/5", "ROOST_STATE_DIR": ""]
        #expect(StateDirectory(flag: nil, environment: runtime).path == "/run/user/5/roost")
        #expect(StateDirectory(flag: nil, environment: [:], userID: 5).path == "/tmp/roost-5")
        #expect(StateDirectory(path: "state").path.hasPrefix("/"))
    }

    @Test("A path too long for Unix sockets is refused with its limit")
    func longPath() throws {
        let longest = StateDirectory(path: "/" + String(repeating: "x", count: 74))
        try longest.checkSocketLength()
        #expect(longest.socket(of: VirtualGPUID(rawValue: "vgpu-12345678")).utf8.count <= 107)
        let error = #expect(throws: AgentError.self) {
            try StateDirectory(path: "/" + String(repeating: "x", count: 75)).checkSocketLength()
        }
        #expect(error?.message.contains("has 76 bytes and may have 75") == true, "\(error?.message ?? "")")
    }

    @Test("A new folder is for its user only")
    func permissions() throws {
        let folder = try ScratchFolder()
        let directory = StateDirectory(path: folder.path + "/a/b")
        try directory.prepare()
        for path in [directory.path, directory.vgpus, directory.workerLogs] {
            #expect(try folder.permissions(path) == 0o700, "\(path)")
        }
        let id = VirtualGPUID(rawValue: "vgpu-test")
        try directory.makeFolder(of: id, token: "secret")
        #expect(try folder.permissions(directory.tokenFile(of: id)) == 0o600)
        #expect(try String(contentsOfFile: directory.tokenFile(of: id), encoding: .utf8) == "secret\n")
        directory.removeFolder(of: id)
        #expect(!FileManager.default.fileExists(atPath: directory.folder(of: id)))
    }

    @Test("A folder that others can enter is refused, and so is a link")
    func openFolder() throws {
        let folder = try ScratchFolder()
        let open = folder.path + "/open"
        try FileManager.default.createDirectory(
            atPath: open, withIntermediateDirectories: false, attributes: [.posixPermissions: 0o750])
        let error = #expect(throws: AgentError.self) { try StateDirectory(path: open).prepare() }
        #expect(error?.code == .stateDirectory)
        #expect(error?.message.contains("chmod 700 \(open)") == true)
        let link = folder.path + "/link"
        try FileManager.default.createSymbolicLink(atPath: link, withDestinationPath: folder.path)
        #expect(throws: AgentError.self) { try StateDirectory(path: link).check() }
    }

    @Test("A folder that is not there means that no daemon runs")
    func noFolder() throws {
        let folder = try ScratchFolder()
        let error = #expect(throws: AgentError.self) {
            try SocketControlChannel.connect(StateDirectory(path: folder.path + "/none"))
        }
        #expect(error?.code == .notRunning)
        #expect(error?.message.contains("roost up") == true)
    }

    @Test("The parts of an installation lie beside the program, unless a variable names them")
    func installation() {
        let own = Installation(executableDirectory: "/opt/roost/bin", environment: ["ROOST_WORKER": ""])
        #expect(own.worker == "/opt/roost/bin/roost-worker")
        #expect(own.libraryDirectory == "/opt/roost/lib")
        #expect(own.toolDirectory == "/opt/roost/libexec")
        #expect(own.clientFiles.standIns.isEmpty, "only those that exist")
        let named = Installation(
            executableDirectory: "/opt/roost/bin", environment: ["ROOST_WORKER": "/w", "ROOST_LIBRARY_DIR": "lib"])
        #expect(named.worker == "/w")
        #expect(named.libraryDirectory == FileManager.default.currentDirectoryPath + "/lib")
    }

    @Test("Only one daemon holds a state directory")
    func lock() throws {
        let folder = try ScratchFolder()
        let directory = StateDirectory(path: folder.path + "/s")
        try directory.prepare()
        let first = try StateLock(directory)
        let error = #expect(throws: AgentError.self) { try StateLock(directory) }
        #expect(error?.code == .alreadyRunning)
        withExtendedLifetime(first) {}
    }
}
