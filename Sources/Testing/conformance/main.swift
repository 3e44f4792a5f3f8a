// `conformance`: one suite for every CUDA driver. See Documentation/gpu-check.md.
internal import Glibc

let words = Array(CommandLine.arguments.dropFirst())
do {
    switch words.first {
    case "compare": exit(try CompareCommand(words.dropFirst()).run())
    case "child": exit(ChildProcess.serve(words.dropFirst()))
    case "peer": exit(PeerProcess.serve(words.dropFirst()))
    default: exit(try RunCommand(words).run())
    }
} catch {
    Output.complain("conformance: \(error)")
    exit(2)
}
