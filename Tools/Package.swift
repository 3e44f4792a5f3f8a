// swift-tools-version: 6.2
import PackageDescription

let strict: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .treatAllWarnings(as: .error),
]

let package = Package(
    name: "Tools",
    targets: [
        .target(name: "APIModel", swiftSettings: strict),
        .executableTarget(name: "import-headers", dependencies: ["APIModel"], swiftSettings: strict),
        .target(name: "GeneratorCore", dependencies: ["APIModel"], swiftSettings: strict),
        .executableTarget(name: "generate", dependencies: ["GeneratorCore", "APIModel"], swiftSettings: strict),
        .testTarget(
            name: "GeneratorCoreTests", dependencies: ["GeneratorCore", "APIModel"], exclude: ["Toy", "Golden"],
            swiftSettings: strict),
    ]
)
