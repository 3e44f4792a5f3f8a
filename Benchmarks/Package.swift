// swift-tools-version: 6.2
import PackageDescription

/// The measured programs are C: what a user's program does, with nothing of ours in between but `libcuda.so.1`.
let libraryFolder = "\(Context.packageDirectory)/../.build/roost/lib"
let header: CSetting = .unsafeFlags([
    "-I\(Context.packageDirectory)/../Sources/Protocol/CCUDA/include", "-O3", "-march=x86-64-v3",
])
let driver: LinkerSetting = .unsafeFlags(["-L\(libraryFolder)", "-Xlinker", "-rpath=\(libraryFolder)"])

func measured(_ name: String, linksDriver: Bool = true) -> Target {
    .executableTarget(
        name: name, dependencies: ["BenchClock"], cSettings: [header],
        linkerSettings: linksDriver ? [driver, .linkedLibrary("cuda")] : [.linkedLibrary("dl")])
}

let package = Package(
    name: "benchmarks",
    targets: [
        .target(name: "BenchClock", cSettings: [header]),
        measured("bench-calls"),
        measured("bench-device"),
        measured("bench-managed"),
        measured("bench-peers"),
        measured("bench-raw", linksDriver: false),
        measured("bench-load", linksDriver: false),
        .executableTarget(name: "bench", swiftSettings: [.swiftLanguageMode(.v6)]),
    ]
)
