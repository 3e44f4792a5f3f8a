// swift-tools-version: 6.2
import PackageDescription

// MARK: - Build modes

/// The drop-in client libraries ship in Embedded Swift; everything else, and every test, uses the full runtime.
let isEmbedded = Context.environment["ROOST_EMBEDDED"] == "1"

/// The software GPU is compiled for AVX2 and FMA unless a builder asks for the slower baseline instruction set.
let isBaselineCPU = Context.environment["ROOST_BASELINE_CPU"] == "1"

let strict: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .treatAllWarnings(as: .error),
]

/// Settings of the tiers that must also compile as Embedded Swift.
let embeddable = strict + (isEmbedded ? [.enableExperimentalFeature("Embedded"), .unsafeFlags(["-wmo"])] : [])

/// Settings of the interpreter's inner loops: no overflow or bounds traps in release, vector instructions of 2013.
/// Debug builds optimize it too, or tests that launch kernels would take minutes.
let vectorized =
    strict + (isBaselineCPU ? [] : [.unsafeFlags(["-Xcc", "-march=x86-64-v3"])])
    + [
        .unsafeFlags(["-Ounchecked"], .when(configuration: .release)),
        .unsafeFlags(["-O"], .when(configuration: .debug)),
    ]

/// Settings of pure code that decides thousands of times a second; optimized in debug builds too, for the tests' sake.
let optimized =
    strict + [
        .unsafeFlags(["-Ounchecked"], .when(configuration: .release)),
        .unsafeFlags(["-O"], .when(configuration: .debug)),
    ]

// MARK: - Tiers, lowest first. A target may depend only on its own tier and on tiers above it in this list.

enum Tier: String {
    case foundations = "Foundations"
    case proto = "Protocol"
    case client = "Client"
    case worker = "Worker"
    case node = "Node"
    case fleet = "Fleet"
    case commandLine = "CommandLine"
    case testing = "Testing"
}

func module(
    _ name: String, _ tier: Tier, uses: [Target.Dependency] = [], settings: [SwiftSetting]? = nil
) -> Target {
    let isEmbeddableTier = tier == .foundations || tier == .proto || tier == .client
    return .target(
        name: name, dependencies: uses, path: "Sources/\(tier.rawValue)/\(name)",
        swiftSettings: settings ?? (isEmbeddableTier ? embeddable : strict))
}

func cModule(_ name: String, _ tier: Tier, uses: [Target.Dependency] = []) -> Target {
    .target(name: name, dependencies: uses, path: "Sources/\(tier.rawValue)/\(name)")
}

func program(
    _ name: String, _ tier: Tier, uses: [Target.Dependency], settings: [SwiftSetting] = strict
) -> Target {
    .executableTarget(
        name: name, dependencies: uses, path: "Sources/\(tier.rawValue)/\(name)", swiftSettings: settings)
}

/// A leaf target whose only job is to export a C ABI. Never a dependency of a test: its link flags would leak.
func exports(_ name: String, soname: String, uses: [Target.Dependency]) -> Target {
    .target(
        name: name, dependencies: uses, path: "Sources/Client/\(name)", swiftSettings: embeddable,
        linkerSettings: [
            .linkedLibrary("m"),
            .unsafeFlags(
                [
                    "-Xlinker", "-soname=\(soname)",
                    "-Xlinker", "--version-script=\(Context.packageDirectory)/Linking/\(soname).map",
                    "-Xlinker", "-z", "-Xlinker", "nodelete",
                ] + (isEmbedded ? ["-enable-experimental-feature", "Embedded"] : ["-static-stdlib"])),
        ])
}

func tests(_ name: String, uses: [Target.Dependency]) -> Target {
    .testTarget(name: "\(name)Tests", dependencies: uses, path: "Tests/\(name)Tests", swiftSettings: strict)
}

// MARK: - The client libraries: everything that a user's process loads

let clientTargets: [Target] = [
    cModule("CPosix", .foundations),
    module("Primitives", .foundations, uses: ["CPosix"]),
    cModule("CCUDA", .proto),
    cModule("CNVML", .proto),
    module("WireProtocol", .proto, uses: ["Primitives"]),
    cModule("CTLS", .proto, uses: ["CPosix"]),
    module("Transport", .proto, uses: ["Primitives", "WireProtocol", "CTLS", "CPosix"]),
    module("ClientRuntime", .client, uses: ["WireProtocol", "Transport", "Primitives", "CPosix"]),
    module("CUDAClient", .client, uses: ["ClientRuntime", "CCUDA", "WireProtocol", "Primitives", "CPosix"]),
    cModule("CUDAProcTable", .client),
    exports("CUDAExports", soname: "libcuda.so.1", uses: ["CUDAClient", "CCUDA", "CUDAProcTable"]),
    module(
        "NVMLClient", .client, uses: ["ClientRuntime", "CNVML", "WireProtocol", "Transport", "Primitives", "CPosix"]),
    exports("NVMLExports", soname: "libnvidia-ml.so.1", uses: ["NVMLClient", "CNVML"]),
]

// MARK: - Workers, node, command line and tests: full runtime only

let log: Target.Dependency = .product(name: "Logging", package: "swift-log")
let arguments: Target.Dependency = .product(name: "ArgumentParser", package: "swift-argument-parser")

let hummingbird: Target.Dependency = .product(name: "Hummingbird", package: "hummingbird")
let hummingbirdTesting: Target.Dependency = .product(name: "HummingbirdTesting", package: "hummingbird")
let httpTypes: Target.Dependency = .product(name: "HTTPTypes", package: "swift-http-types")
let httpClient: Target.Dependency = .product(name: "AsyncHTTPClient", package: "async-http-client")
let nio: [Target.Dependency] = [
    .product(name: "NIOCore", package: "swift-nio"), .product(name: "NIOHTTP1", package: "swift-nio"),
    .product(name: "NIOSSL", package: "swift-nio-ssl"),
]
let lifecycle: Target.Dependency = .product(name: "ServiceLifecycle", package: "swift-service-lifecycle")
let signals: Target.Dependency = .product(name: "UnixSignals", package: "swift-service-lifecycle")
let crypto: Target.Dependency = .product(name: "Crypto", package: "swift-crypto")
let cryptoExtras: Target.Dependency = .product(name: "CryptoExtras", package: "swift-crypto")
let x509: [Target.Dependency] = [
    .product(name: "X509", package: "swift-certificates"), .product(name: "SwiftASN1", package: "swift-asn1"),
]
let jwt: Target.Dependency = .product(name: "JWTKit", package: "jwt-kit")

let runtimeTargets: [Target] = [
    .systemLibrary(
        name: "CCompression", path: "Sources/Worker/CCompression", pkgConfig: "libzstd",
        providers: [.apt(["libzstd-dev", "liblz4-dev"])]),
    cModule("CCUDAFunctions", .proto, uses: ["CCUDA"]),
    module("CUDABinding", .proto, uses: ["CCUDAFunctions", "CCUDA"], settings: strict),
    module("PTX", .worker),
    module("DeviceImages", .worker, uses: ["CCompression"]),
    module("GPUBackend", .worker, uses: ["Primitives", "CPosix"]),
    module("SIMT", .worker, uses: ["PTX", "Primitives", "CPosix"], settings: vectorized),
    module(
        "SoftwareBackend", .worker,
        uses: ["GPUBackend", "SIMT", "PTX", "DeviceImages", "Primitives", "CPosix"]),
    module(
        "CUDABackend", .worker,
        uses: ["GPUBackend", "CUDABinding", "CCUDA", "CCUDAFunctions", "DeviceImages", "Primitives", "CPosix"]),
    module(
        "WorkerCore", .worker,
        uses: ["GPUBackend", "Transport", "WireProtocol", "Primitives", "CPosix", log]),
    program(
        "roost-worker", .worker,
        uses: [
            "WorkerCore", "SoftwareBackend", "CUDABackend", "GPUBackend", "Transport", "WireProtocol", "Primitives",
            "CPosix", log,
        ],
        settings: strict + (isBaselineCPU ? [.define("ROOST_BASELINE_CPU")] : [])),
    module("NodeModel", .node, uses: ["Primitives"]),
    module("NodeAgent", .node, uses: ["NodeModel", "WireProtocol", "Transport", "Primitives", "CPosix", log]),
    module("FleetModel", .fleet, uses: ["NodeModel"]),
    module("Monitoring", .fleet, uses: ["FleetModel"]),
    module("FleetStore", .fleet),
    .systemLibrary(
        name: "CSQLite", path: "Sources/Fleet/CSQLite", pkgConfig: "sqlite3", providers: [.apt(["libsqlite3-dev"])]),
    module("SQLiteFleetStore", .fleet, uses: ["FleetStore", "CSQLite", "Primitives"]),
    module(
        "EtcdFleetStore", .fleet,
        uses: [
            "FleetStore", .product(name: "AsyncHTTPClient", package: "async-http-client"),
            .product(name: "NIOCore", package: "swift-nio"), .product(name: "NIOPosix", package: "swift-nio"),
            .product(name: "NIOHTTP1", package: "swift-nio"), .product(name: "NIOSSL", package: "swift-nio-ssl"),
            .product(name: "NIOFoundationCompat", package: "swift-nio"),
        ]),
    // It decides often, and its tests look at thousands of states.
    module("Admission", .fleet, settings: strict + [.unsafeFlags(["-O"], .when(configuration: .debug))]),
    module("Scheduling", .fleet, settings: optimized),
    module("ControlPlane", .fleet, uses: ["FleetModel", "FleetStore", "Scheduling", "Admission", log]),
    module("Certificates", .fleet, uses: ["FleetModel", crypto] + x509),
    module("Manifests", .fleet, uses: ["FleetModel", .product(name: "Yams", package: "Yams")]),
    module(
        "FleetClient", .fleet,
        uses: [
            "Certificates", "FleetModel", .product(name: "AsyncHTTPClient", package: "async-http-client"),
            .product(name: "NIOCore", package: "swift-nio"), .product(name: "NIOHTTP1", package: "swift-nio"),
            .product(name: "NIOSSL", package: "swift-nio-ssl"),
        ]),
    module("FleetAgent", .fleet, uses: ["Certificates", "FleetModel", "FleetClient", "NodeAgent", "NodeModel", log]),
    module(
        "ControlAPI", .fleet,
        uses: [
            "Certificates", "FleetModel", "FleetStore", hummingbird,
            .product(name: "HummingbirdCore", package: "hummingbird"),
            .product(name: "HummingbirdTLS", package: "hummingbird"), httpTypes, httpClient, lifecycle, crypto, jwt,
            log,
        ] + nio),
    program(
        "roost-server", .fleet,
        uses: [
            "Certificates", "ControlAPI", "ControlPlane", "Monitoring", "FleetModel", "FleetStore", "SQLiteFleetStore",
            "EtcdFleetStore", arguments, log, lifecycle, signals, httpClient,
            .product(name: "NIOCore", package: "swift-nio"), .product(name: "NIOHTTP1", package: "swift-nio"),
        ]),
    module(
        "CLICommands", .commandLine,
        uses: [
            "Certificates", "FleetAgent", "FleetClient", "FleetModel", "Manifests", "NodeAgent", "NodeModel",
            "WireProtocol",
            "Transport", "Primitives", "CPosix", arguments, log,
        ]),
    program("roost", .commandLine, uses: ["CLICommands"]),
    module(
        "GPUTestKit", .testing,
        uses: [
            "CUDAClient", "ClientRuntime", "CCUDA", "WorkerCore", "SoftwareBackend", "CUDABackend", "GPUBackend",
            "Transport", "WireProtocol", "Primitives", "CPosix", log,
        ]),
    module("StoreTestKit", .testing, uses: ["FleetStore"]),
    program("admission-bench", .testing, uses: ["Admission"]),
    module("Simulation", .testing, uses: ["ControlPlane", "FleetAgent", "FleetStore", "FleetModel"]),
    program("simulate", .testing, uses: ["Simulation"]),
    module("SchedulingExperiments", .testing, uses: ["Scheduling"], settings: optimized),
    program("scheduling-bench", .testing, uses: ["SchedulingExperiments", "Scheduling"]),
    program("store-crash", .testing, uses: ["FleetStore", "SQLiteFleetStore", "StoreTestKit"]),
    program("bench-store", .testing, uses: ["FleetStore", "SQLiteFleetStore", "EtcdFleetStore"]),
    .executableTarget(
        name: "conformance", dependencies: ["CUDABinding", "CCUDA", "Primitives", "CPosix"],
        path: "Sources/Testing/conformance",
        swiftSettings: strict,
        linkerSettings: [.unsafeFlags(["-static-stdlib"], .when(configuration: .release))]),
    tests("Primitives", uses: ["Primitives"]),
    tests("WireProtocol", uses: ["WireProtocol", "Primitives"]),
    tests("Transport", uses: ["Transport", "WireProtocol", "Primitives", "CPosix"]),
    tests("NVMLClient", uses: ["NVMLClient", "CNVML", "Transport", "WireProtocol", "Primitives", "CPosix"]),
    tests("CUDAClient", uses: ["CUDAClient", "ClientRuntime", "CCUDA", "Primitives"]),
    tests("CUDABackend", uses: ["CUDABackend", "GPUTestKit", "GPUBackend", "Primitives"]),
    tests("CUDABinding", uses: ["CUDABinding", "CCUDA", "CCUDAFunctions"]),
    tests("PTX", uses: ["PTX", "GPUTestKit"]),
    tests("DeviceImages", uses: ["DeviceImages"]),
    tests("SIMT", uses: ["SIMT", "PTX", "GPUTestKit", "Primitives"]),
    tests("SoftwareBackend", uses: ["SoftwareBackend", "GPUBackend", "GPUTestKit", "Primitives"]),
    tests("WorkerCore", uses: ["WorkerCore", "GPUTestKit", "GPUBackend", "Transport", "WireProtocol", "Primitives"]),
    tests(
        "ClientLoopback",
        uses: ["GPUTestKit", "CUDAClient", "ClientRuntime", "CCUDA", "WorkerCore", "WireProtocol", "Transport"]),
    tests("NodeAgent", uses: ["NodeAgent", "NodeModel", log]),
    tests("FleetAgent", uses: ["FleetAgent", "Certificates", "FleetModel", log]),
    tests("FleetModel", uses: ["FleetModel"]),
    tests("Admission", uses: ["Admission"]),
    tests("ControlPlane", uses: ["ControlPlane", "FleetModel"]),
    tests("Simulation", uses: ["Simulation"]),
    tests("Scheduling", uses: ["Scheduling", "SchedulingExperiments"]),
    tests("FleetStore", uses: ["FleetStore", "SQLiteFleetStore", "EtcdFleetStore", "StoreTestKit", "store-crash"]),
    tests(
        "ControlAPI",
        uses: [
            "Certificates", "ControlAPI", "FleetClient", "FleetModel", "FleetStore", hummingbird, hummingbirdTesting,
            httpTypes,
            httpClient, jwt,
            cryptoExtras, log,
        ] + nio),
    tests("Certificates", uses: ["Certificates", "FleetModel", crypto] + x509),
    tests("Manifests", uses: ["Manifests", "FleetModel"]),
    tests(
        "CLICommands",
        uses: ["CLICommands", "Certificates", "NodeAgent", "NodeModel", "FleetModel", "FleetClient", "Manifests"]),
    tests("Monitoring", uses: ["Monitoring", "FleetModel"]),
    tests("Tidy", uses: []),
]

let package = Package(
    name: "roost",
    products: [
        .library(name: "cuda", type: .dynamic, targets: ["CUDAExports"]),
        .library(name: "nvidia-ml", type: .dynamic, targets: ["NVMLExports"]),
    ]
        + (isEmbedded
            ? []
            : [
                .executable(name: "roost", targets: ["roost"]),
                .executable(name: "roost-worker", targets: ["roost-worker"]),
                .executable(name: "roost-server", targets: ["roost-server"]),
                .executable(name: "conformance", targets: ["conformance"]),
                .executable(name: "bench-store", targets: ["bench-store"]),
                // For the nested package Fuzzing.
                .library(name: "Decoders", targets: ["WireProtocol", "PTX", "DeviceImages"]),
            ]),
    dependencies: isEmbedded
        ? []
        : [
            .package(url: "https://github.com/apple/swift-argument-parser", exact: "1.8.2"),
            .package(url: "https://github.com/apple/swift-log", exact: "1.16.2"),
            .package(url: "https://github.com/apple/swift-nio", exact: "2.101.2"),
            .package(url: "https://github.com/apple/swift-nio-ssl", exact: "2.37.6"),
            .package(url: "https://github.com/swift-server/async-http-client", exact: "1.37.0"),
            .package(url: "https://github.com/swift-server/swift-service-lifecycle", exact: "2.13.0"),
            .package(url: "https://github.com/hummingbird-project/hummingbird", exact: "2.28.1"),
            .package(url: "https://github.com/apple/swift-http-types", exact: "1.8.0"),
            .package(url: "https://github.com/apple/swift-crypto", exact: "4.5.2"),
            .package(url: "https://github.com/apple/swift-certificates", exact: "1.21.1"),
            .package(url: "https://github.com/apple/swift-asn1", exact: "1.7.4"),
            .package(url: "https://github.com/vapor/jwt-kit", exact: "5.7.1"),
            .package(url: "https://github.com/jpsim/Yams", exact: "6.2.2"),
        ],
    targets: clientTargets + (isEmbedded ? [] : runtimeTargets)
)
