import Foundation

/// Where things are, and what to measure.
struct BenchArguments {
    /// The repository's root.
    var root = URL(fileURLWithPath: FileManager.default.currentDirectoryPath)
    /// Where the JSON goes.
    var output: URL
    /// CPUs of the client and of the worker; nil leaves the choice to the kernel.
    var clientCPU: Int?
    var workerCPU: Int?

    init(_ words: some Sequence<String>) throws {
        output = root.appending(path: ".build/bench.json")
        var rest = Array(words)[...]
        while let word = rest.popFirst() {
            func value() throws -> String {
                guard let value = rest.popFirst() else { throw BenchFailure(description: "\(word) needs a value") }
                return value
            }
            switch word {
            case "--root": root = URL(fileURLWithPath: try value())
            case "--output": output = URL(fileURLWithPath: try value())
            case "--client-cpu": clientCPU = Int(try value())
            case "--worker-cpu": workerCPU = Int(try value())
            default: throw BenchFailure(description: "unknown argument \(word)")
            }
        }
    }

    /// The folder with the installed build.
    var installed: URL { root.appending(path: ".build/roost") }
    /// The folder with the measured programs: the one that this program is in.
    var programs: URL {
        URL(fileURLWithPath: CommandLine.arguments[0]).standardizedFileURL.deletingLastPathComponent()
    }
}
