// swift-tools-version: 6.2
import PackageDescription

/// Every Swift target is held to the same rules: Swift 6 concurrency checking, no implicit existentials,
/// no member found through a module the file does not import, and no warning left standing.
let strict: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .treatAllWarnings(as: .error),
]

let nio: [Target.Dependency] = [
    .product(name: "NIOCore", package: "swift-nio"),
    .product(name: "NIOPosix", package: "swift-nio"),
]
let tls: [Target.Dependency] = [
    .product(name: "NIOSSL", package: "swift-nio-ssl"),
    .product(name: "NIOTLS", package: "swift-nio"),
]
let logging: Target.Dependency = .product(name: "Logging", package: "swift-log")
let crypto: Target.Dependency = .product(name: "Crypto", package: "swift-crypto")
let asn1: Target.Dependency = .product(name: "SwiftASN1", package: "swift-asn1")
let http1: Target.Dependency = .product(name: "NIOHTTP1", package: "swift-nio")
let embedded: Target.Dependency = .product(name: "NIOEmbedded", package: "swift-nio")

// A plain `swift build` is for tests. scripts/build makes the binary to run: optimised, the runtime linked in.
// Which module may import which is checked once more, import by import, by LayoutTests.
let package = Package(
    name: "limpet",
    products: [.executable(name: "limpet", targets: ["limpet"])],
    dependencies: [
        .package(url: "https://github.com/apple/swift-nio.git", from: "2.101.2"),
        // Exact: CLimpetTickets declares functions of the BoringSSL in it, and SessionTickets finds a stored property.
        .package(url: "https://github.com/apple/swift-nio-ssl.git", exact: "2.37.6"),
        .package(url: "https://github.com/apple/swift-log.git", from: "1.16.2"),
        .package(url: "https://github.com/apple/swift-crypto.git", from: "4.5.2"),
        .package(url: "https://github.com/apple/swift-asn1.git", from: "1.7.4"),
        .package(url: "https://github.com/apple/swift-argument-parser.git", from: "1.8.2"),
        .package(url: "https://github.com/jpsim/Yams.git", from: "6.2.2"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle.git", from: "2.13.0"),
    ],
    targets: [
        .target(name: "Affinity", swiftSettings: strict),
        .target(name: "CLimpetLanes"),
        .target(name: "HTTPWire", dependencies: ["CLimpetLanes"], swiftSettings: strict),
        .target(name: "CLimpetH2", linkerSettings: [.linkedLibrary("nghttp2")]),
        .target(name: "HTTP2Wire", dependencies: ["CLimpetH2"], swiftSettings: strict),
        .target(name: "CLimpetRegex", linkerSettings: [.linkedLibrary("pcre2-8")]),
        .target(name: "Routing", dependencies: ["CLimpetRegex", "HTTPWire"], swiftSettings: strict),
        .target(name: "CLimpetRESP", linkerSettings: [.linkedLibrary("hiredis")]),
        .target(name: "CLimpetCrypt", linkerSettings: [.linkedLibrary("crypt")]),
        // Its functions come with NIOSSL, at the last link.
        .target(name: "CLimpetTickets"),
        .target(name: "Networking", dependencies: nio, swiftSettings: strict),
        .target(
            name: "TLS",
            dependencies: ["CLimpetTickets", asn1, .product(name: "NIOCore", package: "swift-nio")] + tls,
            swiftSettings: strict),
        .target(
            name: "Store", dependencies: ["Affinity", "Networking", "TLS", "CLimpetRESP", logging] + nio,
            swiftSettings: strict),
        .target(
            name: "Proxy",
            dependencies: [
                "Affinity", "HTTPWire", "HTTP2Wire", "Networking", "Routing", "Store", "TLS", "CLimpetCrypt",
                "CLimpetTickets", asn1, crypto, logging,
            ] + nio + tls,
            swiftSettings: strict),
        .target(
            name: "Configuration",
            dependencies: [
                "Affinity", "HTTPWire", "Routing", "Store", "Proxy", "TLS", crypto,
                .product(name: "Yams", package: "Yams"),
            ],
            swiftSettings: strict),
        .target(
            name: "Control",
            dependencies: [
                "Affinity", "Configuration", "HTTPWire", "HTTP2Wire", "Networking", "Routing", "Store", "Proxy", "TLS",
                crypto, logging, http1,
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
                .product(name: "UnixSignals", package: "swift-service-lifecycle"),
            ] + nio,
            swiftSettings: strict),
        .executableTarget(
            name: "limpet",
            dependencies: [
                "Configuration", "Control", .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            swiftSettings: strict),
        .target(
            name: "LimpetTestKit",
            dependencies: ["Affinity", "HTTP2Wire", "Store", logging, http1, .product(name: "Yams", package: "Yams")]
                + nio,
            swiftSettings: strict),
        // For whoever works on the protocol: scripts/simulate. Not a product.
        .executableTarget(name: "simulate", dependencies: ["LimpetTestKit"], swiftSettings: strict),
        .testTarget(
            name: "AffinityTests", dependencies: ["Affinity", "LimpetTestKit"], exclude: ["Golden"],
            swiftSettings: strict),
        .testTarget(
            name: "HTTPWireTests",
            dependencies: ["HTTPWire", "LimpetTestKit", embedded, http1] + nio,
            swiftSettings: strict),
        .testTarget(
            name: "HTTP2WireTests", dependencies: ["HTTP2Wire", "LimpetTestKit"], swiftSettings: strict),
        .testTarget(
            name: "NetworkingTests", dependencies: ["Networking", "LimpetTestKit"] + nio, swiftSettings: strict),
        .testTarget(name: "RoutingTests", dependencies: ["Routing", "HTTPWire"], swiftSettings: strict),
        .testTarget(
            name: "StoreTests",
            dependencies: ["Store", "Affinity", "Networking", "TLS", "CLimpetRESP", "LimpetTestKit", embedded] + nio,
            swiftSettings: strict),
        .testTarget(
            name: "ProxyTests",
            dependencies: [
                "Proxy", "Affinity", "HTTPWire", "HTTP2Wire", "Networking", "Routing", "Store", "TLS", "LimpetTestKit",
                embedded, crypto, logging,
            ] + nio + tls,
            swiftSettings: strict),
        .testTarget(
            name: "ConfigurationTests",
            dependencies: ["Configuration", "Affinity", "Proxy", "Routing", "Store", "TLS", "LimpetTestKit"],
            exclude: ["Golden"], swiftSettings: strict),
        .testTarget(
            name: "ControlTests",
            dependencies: [
                "Control", "Configuration", "Proxy", "Affinity", "HTTP2Wire", "Routing", "LimpetTestKit", logging,
            ] + nio,
            swiftSettings: strict),
        .testTarget(
            name: "FleetTests", dependencies: ["limpet", "HTTP2Wire", "LimpetTestKit", crypto, logging] + nio,
            swiftSettings: strict),
        .testTarget(name: "LayoutTests", swiftSettings: strict),
    ]
)

// Fuzzing and measuring want builds of their own (sanitizers, optimisation): see the README.md in these folders.
if Context.environment["LIMPET_FUZZ"] != nil {
    package.targets += [
        .executableTarget(
            name: "FuzzRESP", dependencies: ["CLimpetRESP"], path: "Tests/Fuzz/RESP", exclude: ["README.md"],
            swiftSettings: strict + [.unsafeFlags(["-parse-as-library"])]),
        .executableTarget(
            name: "FuzzHTTP2", dependencies: ["HTTP2Wire", "HTTPWire"], path: "Tests/Fuzz/HTTP2",
            exclude: ["README.md"], swiftSettings: strict + [.unsafeFlags(["-parse-as-library"])]),
        .executableTarget(
            name: "FuzzHTTPWire", dependencies: ["HTTPWire"], path: "Tests/Fuzz/HTTPWire",
            exclude: ["README.md", "http.dict"], swiftSettings: strict + [.unsafeFlags(["-parse-as-library"])]),
        .executableTarget(
            name: "BenchHTTPWire", dependencies: ["HTTPWire"], path: "Tests/Bench/HTTPWire", exclude: ["README.md"],
            swiftSettings: strict),
        .executableTarget(
            name: "BenchRouting", dependencies: ["Routing"], path: "Tests/Bench/Routing", exclude: ["README.md"],
            swiftSettings: strict),
        .executableTarget(
            name: "BenchStore", dependencies: ["Affinity", "Store", logging] + nio, path: "Tests/Bench/Store",
            exclude: ["README.md"], swiftSettings: strict),
    ]
}
