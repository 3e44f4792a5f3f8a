import Foundation
import GeneratorCore

// Usage: generate [--check] [--root <repository>]
// Writes every generated file that differs; with --check it only names those and exits with status 1.

var arguments = Array(CommandLine.arguments.dropFirst())
let isCheck = arguments.contains("--check")
arguments.removeAll { $0 == "--check" }
var root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent().deletingLastPathComponent()
if let flag = arguments.firstIndex(of: "--root"), arguments.indices.contains(flag + 1) {
    root = URL(fileURLWithPath: arguments[flag + 1])
}

let api = try APIDescription(folder: root.appendingPathComponent("API"))
let problems = Validate(api).problems()
guard problems.isEmpty else {
    for problem in problems { print("error: \(problem)") }
    exit(1)
}
var differing = 0
for file in Generator(api).files {
    if isCheck {
        guard !file.isCurrent(root: root) else { continue }
        print("differs: \(file.path)")
        differing += 1
    } else if try file.writeIfChanged(root: root) {
        print("wrote \(file.path)")
    }
}
exit(differing == 0 ? 0 : 1)
