// `make bench`: runs the measured programs against workers on every transport, prints `name value unit`, writes JSON.
import Foundation

struct BenchFailure: Error, CustomStringConvertible {
    let description: String
}

do {
    let arguments = try BenchArguments(CommandLine.arguments.dropFirst())
    var suite = try BenchSuite(arguments: arguments)
    try suite.run()
} catch {
    FileHandle.standardError.write(Data("bench: \(error)\n".utf8))
    exit(1)
}
