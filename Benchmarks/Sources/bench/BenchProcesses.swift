import Foundation

extension BenchSuite {
    /// Runs a measured program to its end and returns its lines.
    func runProgram(_ name: String, _ words: [String], environment: [String: String]) throws -> [String] {
        let process = Process()
        prepare(process, arguments.programs.appending(path: name), words, cpu: arguments.clientCPU)
        process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
        let output = Pipe()
        process.standardOutput = output
        try process.run()
        let data = output.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        guard process.terminationStatus == 0 else {
            throw BenchFailure(description: "\(name) ended with status \(process.terminationStatus)")
        }
        return String(decoding: data, as: UTF8.self).split(separator: "\n").map(String.init)
    }

    /// Starts a worker, waits until it listens, and stops it after the measurement.
    mutating func withWorker(
        listening endpoint: String, threads: Int, _ body: (inout BenchSuite, String) throws -> Void
    ) throws {
        let worker = Process()
        let words = [
            "--listen", endpoint, "--vram", "1GiB", "--threads", "\(threads)", "--ready-fd", "1",
            "--log-level", "error", "--tls-certificate", identity.certificate, "--tls-key", identity.key,
        ]
        prepare(worker, arguments.installed.appending(path: "bin/roost-worker"), words, cpu: arguments.workerCPU)
        let ready = Pipe()
        worker.standardOutput = ready
        try worker.run()
        defer {
            worker.terminate()
            worker.waitUntilExit()
        }
        guard ready.fileHandleForReading.availableData.starts(with: Data("ready".utf8)) else {
            throw BenchFailure(description: "the worker on \(endpoint) did not start")
        }
        try body(&self, endpoint)
    }

    private func prepare(_ process: Process, _ program: URL, _ words: [String], cpu: Int?) {
        guard let cpu else {
            process.executableURL = program
            process.arguments = words
            return
        }
        process.executableURL = URL(fileURLWithPath: "/usr/bin/taskset")
        process.arguments = ["-c", "\(cpu)", program.path] + words
    }
}
