// swift-tools-version: 6.2
import PackageDescription

/// libFuzzer targets over everything that reads bytes from outside. `make fuzz` runs each for a minute; what crashes is kept in
/// `FailCases/<target>/` and replayed by the unit tests.
func fuzzer(_ name: String) -> Target {
    .executableTarget(
        name: name, dependencies: ["CFuzzer", .product(name: "Decoders", package: "main")],
        swiftSettings: [.swiftLanguageMode(.v6), .unsafeFlags(["-sanitize=fuzzer", "-parse-as-library"])],
        linkerSettings: [.unsafeFlags(["-sanitize=fuzzer", "-use-ld=lld"])])
}

let package = Package(
    name: "fuzzing",
    dependencies: [.package(name: "main", path: "..")],
    targets: [.target(name: "CFuzzer"), fuzzer("FuzzFrames"), fuzzer("FuzzPTX")]
)
