import ArgumentParser
import Certificates
import FleetClient
import FleetModel
import Foundation
import Testing

@testable import CLICommands

@Suite("Contexts, tokens and explanations")
struct AccessCommandTests {
    private func file() -> String {
        FileManager.default.temporaryDirectory.appendingPathComponent("roost-\(UUID().uuidString)/c/contexts.json").path
    }

    @Test("login keeps address, token and authority where only the user can read them")
    func login() throws {
        let path = file()
        defer { try? FileManager.default.removeItem(atPath: path) }
        let streams = Streams()
        let command = try #require(
            try RoostCommand.parseAsRoot(["login", "https://pool.example:7600", "-p", "research"]) as? LoginCommand)
        let target = try command.target(streams.console(input: "  abc\n"))
        #expect(target == FleetClient.Target(server: "https://pool.example:7600", token: "abc"))
        let ann = Identity(subject: "ann", grants: [], method: "token")
        try command.remember(target, path: path, ann, streams.console())
        let contexts = try Contexts.load(path: path)
        #expect(contexts.current == "pool.example")
        #expect(contexts.entries["pool.example"] == Contexts.Entry(target: target, project: "research"))
        let attributes = try FileManager.default.attributesOfItem(atPath: path)
        #expect(attributes[.posixPermissions] as? Int == 0o600)
        #expect(streams.notes.last == "Logged in at https://pool.example:7600 as ann; the context is pool.example.")
        #expect(!ContextCommand.table(contexts).text.contains("abc"))
    }

    @Test("The command line ranks before the environment, that before the current context, that before this machine")
    func choice() throws {
        let contexts = Contexts(
            current: "a",
            entries: [
                "a": .init(target: .init(server: "https://a", token: "ta")),
                "b": .init(target: .init(server: "https://b", token: "tb")),
            ])
        func chosen(_ server: String?, _ name: String?, _ environment: [String: String]) throws -> FleetClient.Target {
            try contexts.choose(server: server, name: name, environment: environment).target
        }
        #expect(try chosen(nil, nil, [:]).server == "https://a")
        #expect(try chosen(nil, nil, ["ROOST_CONTEXT": "b"]).token == "tb")
        #expect(try chosen(nil, "a", ["ROOST_CONTEXT": "b", "ROOST_SERVER": "https://c"]).server == "https://a")
        let fromEnvironment = try chosen(nil, nil, ["ROOST_SERVER": "https://c", "ROOST_API_TOKEN": "tc"])
        #expect(fromEnvironment == FleetClient.Target(server: "https://c", token: "tc"))
        #expect(try chosen("https://d", nil, ["ROOST_SERVER": "https://c"]).token == nil)
        #expect(try Contexts().choose(server: nil, name: nil, environment: [:]).target.server == Contexts.localServer)
        let error = #expect(throws: CommandFailure.self) { try chosen(nil, "x", [:]) }
        #expect(error?.message == "There is no context x. There are a, b.")
    }

    @Test("ca shows the authority, and its fingerprint beside it")
    func authority() async throws {
        let authority = try CertificateAuthority(madeAt: .current)
        let streams = Streams()
        let command = try #require(try RoostCommand.parseAsRoot(["ca"]) as? AuthorityCommand)
        try await command.perform(streams.session(FakeControlPlane(authority: authority.certificatePEM)))
        #expect(streams.lines.joined(separator: "\n") + "\n" == authority.certificatePEM)
        #expect(streams.notes == ["Fingerprint: \(authority.fingerprint)"])
        await #expect(throws: CommandFailure.self) {
            try await command.perform(streams.session(FakeControlPlane(authority: "no certificate")))
        }
    }

    @Test(
        "A control plane on another machine is spoken to by TLS alone, and trusted in one way",
        arguments: [
            ["login", "http://pool.example:7600"], ["join", "http://10.0.0.1:7600"], ["join", "pool.example"],
            ["join", "https://a", "--ca", "x", "--ca-fingerprint", "sha256:1"],
            ["login", "https://a", "--ca", "x", "--ca-fingerprint", "sha256:1"],
        ])
    func addresses(_ words: [String]) {
        #expect(throws: (any Error).self) { try RoostCommand.parseAsRoot(words) }
    }

    @Test(
        "A worker that serves by TLS gets the machine's own certificate, unless it has one",
        arguments: [
            (["--listen", "tls://0.0.0.0:7070"], "0.0.0.0"), (["--listen", "tls://[::1]:0#ab"], "::1"),
            (["--listen", "unix:///a", "--listen", "tls://gpu-7:1", "--vram", "1GiB"], "gpu-7"),
            (["--listen", "tls://a:1", "--tls-certificate", "c", "--tls-key", "k"], nil),
            (["--listen", "tcp://0.0.0.0:1", "--insecure"], nil), (["--listen", "tls://a"], nil), (["--listen"], nil),
        ])
    func workers(_ arguments: [String], _ host: String?) {
        #expect(WorkerCommand.hostWithoutCertificate(arguments) == host)
    }

    @Test("Contexts stand where XDG says")
    func path() {
        #expect(Contexts.path(environment: ["HOME": "/h"]) == "/h/.config/roost/contexts.json")
        #expect(Contexts.path(environment: ["HOME": "/h", "XDG_CONFIG_HOME": "/x"]) == "/x/roost/contexts.json")
    }

    @Test("token create writes the token alone to the standard output")
    func tokens() async throws {
        let plane = FakeControlPlane()
        let streams = Streams()
        let create = try #require(
            try RoostCommand.parseAsRoot(["token", "create", "ann", "--role", "user@research", "--expires", "30d"])
                as? TokenCommand.Create)
        #expect(create.request.grants == [Grant(.user, project: "research")])
        #expect(create.request.expiresIn == .hours(720))
        try await create.perform(streams.session(plane))
        #expect(streams.lines == ["secret"])
        let join = try #require(
            try RoostCommand.parseAsRoot(["token", "create", "gpu-7", "--join"]) as? TokenCommand.Create)
        #expect(join.request.purpose == .join && join.request.grants == nil)
        let joining = Streams()
        try await join.perform(joining.session(plane))
        #expect(joining.lines == ["secret"])
        let next = "roost join https://pool:7600 --name gpu-7 --ca-fingerprint sha256:12ab --token-file FILE"
        #expect(joining.notes.last?.contains(next) == true, "what is typed next")
        let list = Streams()
        try await #require(try RoostCommand.parseAsRoot(["token", "list"]) as? TokenCommand.List)
            .perform(list.session(plane))
        #expect(
            list.lines == [
                """
                ID  SUBJECT  PURPOSE  ROLES             AGE  ENDS   DESCRIPTION
                1f  ann      bearer   user@research  16m40s  never
                """
            ])
        try await #require(try RoostCommand.parseAsRoot(["whoami"]) as? WhoamiCommand).perform(list.session(plane))
        #expect(list.lines.last == "ann: user@research, viewer")
    }

    @Test("explain finds kinds and fields, and hints where there is none")
    func explain() throws {
        #expect(try FieldReference.text(of: "wl.resources.memory").hasPrefix("Workload.spec.resources.memory  <memory"))
        #expect(try FieldReference.text(of: "workload.spec.gang").contains("timeout"))
        #expect(try FieldReference.text(of: "pool.metadata.labels").hasPrefix("Pool.metadata.labels"))
        for kind in ResourceKind.allCases {
            #expect(try FieldReference.text(of: kind.plural).hasPrefix(kind.rawValue))
            #expect(FieldReference.kinds.contains(kind.summary))
        }
    }

    @Test(
        "A command line that makes no sense names the next step",
        arguments: [
            (["get", "workload/train", "-p", "a", "-A"], "Give -p or -A"),
            (["get", "wrkloads"], "did you mean workloads?"),
            (["get", "pods", "-l", "a"], "there is no such kind"),
            (["get", "pools", "-l", "a"], "-l takes name=value"),
            (["get", "pools", "--watch", "-o", "yaml"], "--watch goes with"),
            (["describe", "workload"], "Name one Workload: workload/NAME."),
            (["delete"], "Name what to delete"),
            (["delete", "workload"], "Name the workloads to delete"),
            (["explain", "workload.replica"], "Did you mean replicas?"),
            (["explain", "workload.replicas.x"], "has no fields of its own"),
            (["explain", "--markdown", "pool"], "leave pool out"),
            (["login", "pool.example"], "it reads https://host:port"),
            (["login", "http://pool.example"], "use https"),
            (["token", "create", "ann"], "Name at least one --role"),
            (["token", "create", "ann", "--role", "usr"], "did you mean user?"),
            (["token", "create", "n", "--join", "--role", "user"], "--join takes no --role"),
            (["token", "create", "ann", "--role", "user", "--expires", "soon"], "90s, 12h or 30d"),
        ])
    func usageErrors(_ arguments: [String], _ message: String) throws {
        let error = #expect(throws: (any Error).self) { try RoostCommand.parseAsRoot(arguments) }
        let exit = CommandExit(try #require(error))
        #expect(exit.status == 2)
        #expect(exit.text.contains(message), "\(exit.text)")
    }

    @Test("The shell is offered kinds")
    func completion() {
        let script = RoostCommand.completionScript(for: .bash)
        #expect(script.contains("workloads") && script.contains("alertrules"))
    }

    @Test("Documentation/manifests.md is what `roost explain --markdown` writes")
    func page() throws {
        let root = URL(fileURLWithPath: #filePath).resolvingSymlinksInPath().deletingLastPathComponent()
            .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
        let page = root.appendingPathComponent("Documentation/manifests.md")
        let text = try String(contentsOf: page, encoding: .utf8)
        #expect(
            text == FieldReference.markdown,
            "write it anew: .build/debug/roost explain --markdown > Documentation/manifests.md")
    }
}
