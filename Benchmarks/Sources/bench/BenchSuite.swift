import Foundation

/// One figure: `name value unit`.
struct Figure: Codable {
    var name: String
    var value: Double
    var unit: String
}

/// Runs everything in order and keeps the figures.
struct BenchSuite {
    let arguments: BenchArguments
    let identity: BenchIdentity
    var figures: [Figure] = []

    private static let transports = ["shm", "unix", "tcp", "tls"]

    init(arguments: BenchArguments) throws {
        self.arguments = arguments
        identity = try BenchIdentity()
    }

    mutating func run() throws {
        defer { identity.remove() }
        try measure("bench-raw", prefix: "", environment: pinning.merging(identity.environment) { $1 })
        try measureLibrary("libcuda.so.1")
        try measureLibrary("libnvidia-ml.so.1")
        for transport in Self.transports { try measureCalls(transport: transport) }
        for transport in ["shm", "tcp"] { try measureManaged(transport: transport) }
        for transport in Self.transports { try measurePeers(transport: transport) }
        try withWorker(listening: endpoint("unix"), threads: 1) { suite, endpoint in
            try suite.measure("bench-device", prefix: "", environment: ["ROOST_ENDPOINT": endpoint])
        }
        addRatios()
        try write()
    }

    private var pinning: [String: String] {
        var environment: [String: String] = [:]
        if let cpu = arguments.clientCPU { environment["BENCH_CLIENT_CPU"] = "\(cpu)" }
        if let cpu = arguments.workerCPU { environment["BENCH_SERVER_CPU"] = "\(cpu)" }
        return environment
    }

    private func endpoint(_ transport: String, worker: Int = 0) -> String {
        let first = 20_000 + Int(ProcessInfo.processInfo.processIdentifier) % 10_000
        if transport == "tcp" { return "tcp://127.0.0.1:\(first + worker)" }
        if transport == "tls" { return "tls://127.0.0.1:\(first + worker)#\(identity.pin)" }
        let name = "roost-bench-\(ProcessInfo.processInfo.processIdentifier)-\(worker).sock"
        return "\(transport)://\(FileManager.default.temporaryDirectory.appending(path: name).path)"
    }

    private mutating func measureCalls(transport: String) throws {
        try withWorker(listening: endpoint(transport), threads: 1) { suite, endpoint in
            try suite.measure("bench-calls", prefix: "\(transport).", environment: ["ROOST_ENDPOINT": endpoint])
        }
    }

    /// Managed memory by the page, and as a whole, which is what a machine without userfaultfd does.
    private mutating func measureManaged(transport: String) throws {
        for mode in ["demand", "whole"] {
            try withWorker(listening: endpoint(transport), threads: 1) { suite, endpoint in
                try suite.measure(
                    "bench-managed", prefix: "\(transport).\(mode).",
                    environment: ["ROOST_ENDPOINT": endpoint, "ROOST_MANAGED": mode])
            }
        }
    }

    /// Copies from one worker to another, which they make among themselves.
    private mutating func measurePeers(transport: String) throws {
        try withWorker(listening: endpoint(transport), threads: 1) { suite, one in
            try suite.withWorker(listening: suite.endpoint(transport, worker: 1), threads: 1) { suite, other in
                try suite.measure(
                    "bench-peers", prefix: "\(transport).", environment: ["ROOST_ENDPOINT": "\(one);\(other)"])
            }
        }
    }

    /// The median of 21 processes, each of which loads the library once.
    private mutating func measureLibrary(_ name: String) throws {
        let path = arguments.installed.appending(path: "lib/\(name)")
        var times: [Double] = []
        for _ in 0..<21 {
            let lines = try runProgram("bench-load", [path.path], environment: [:])
            times += lines.compactMap(Self.figure).map(\.value)
        }
        times.sort()
        report(Figure(name: "library.\(name).load", value: times[times.count / 2], unit: "us"))
        let size = try FileManager.default.attributesOfItem(atPath: path.path)[.size] as? Int ?? 0
        report(Figure(name: "library.\(name).size", value: Double(size) / 1024, unit: "KiB"))
    }

    private mutating func measure(_ program: String, prefix: String, environment: [String: String]) throws {
        FileHandle.standardError.write(Data("# \(prefix)\(program)\n".utf8))
        for line in try runProgram(program, [], environment: environment) {
            guard var figure = Self.figure(line) else { continue }
            figure.name = prefix + figure.name
            report(figure)
        }
    }

    private mutating func report(_ figure: Figure) {
        figures.append(figure)
        print("\(figure.name) \(String(format: "%.6g", figure.value)) \(figure.unit)")
    }

    private static func figure(_ line: String) -> Figure? {
        let words = line.split(separator: " ")
        guard words.count == 3, let value = Double(words[1]) else { return nil }
        return Figure(name: String(words[0]), value: value, unit: String(words[2]))
    }

    /// What each figure is beside its physical limit, or its alternative, of the same run.
    private mutating func addRatios() {
        let value = Dictionary(figures.map { ($0.name, $0.value) }, uniquingKeysWith: { first, _ in first })
        func add(_ name: String, _ top: String, _ bottom: String) {
            guard let top = value[top], let bottom = value[bottom], bottom > 0 else { return }
            report(Figure(name: name, value: top / bottom, unit: "x"))
        }
        for transport in Self.transports {
            let isShared = transport == "shm"
            let waiting = "\(transport).call.waiting.p50"
            add("\(transport).call.waiting.ratio", waiting, "raw.\(transport).ping_pong.p50")
            // Ours waits awake for a moment before it sleeps; the stricter comparison is with a peer that does too.
            add("\(transport).call.waiting.ratio_awake", waiting, "raw.\(transport).ping_pong_awake.p50")
            let out = isShared ? "raw.memcpy.64MiB" : "raw.\(transport).stream_out"
            let inward = isShared ? "raw.memcpy.64MiB" : "raw.\(transport).stream_in"
            for figure in ["client", "waiting.p50"] {
                let (launches, graph) = ("graph.100_launches.\(figure)", "graph.100_kernels.\(figure)")
                add("\(transport).\(graph).ratio", "\(transport).\(graph)", "\(transport).\(launches)")
            }
            add("\(transport).peer.copy.ratio", "\(transport).peer.copy.64MiB", out)
            add("\(transport).copy.host_to_device.ratio", "\(transport).copy.host_to_device.64MiB", out)
            add("\(transport).copy.device_to_host.ratio", "\(transport).copy.device_to_host.64MiB", inward)
        }
    }

    private func write() throws {
        struct Report: Codable {
            var date: String
            var pinning: String
            var figures: [Figure]
        }
        let pinned = arguments.clientCPU.map { "client on CPU \($0), worker on CPU \(arguments.workerCPU ?? -1)" }
        let report = Report(
            date: ISO8601DateFormatter().string(from: Date()), pinning: pinned ?? "none", figures: figures)
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
        try encoder.encode(report).write(to: arguments.output)
        FileHandle.standardError.write(Data("# wrote \(arguments.output.path)\n".utf8))
    }
}
