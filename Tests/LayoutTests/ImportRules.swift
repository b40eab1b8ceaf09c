/// Which module may import what: the table of `docs/architecture.md`.
enum ImportRules {
    private static let operatingSystem: Set<String> = ["Glibc", "Musl", "Darwin"]
    private static let transport: Set<String> = ["NIOCore", "NIOPosix"]
    private static let parts: Set<String> = [
        "Affinity", "HTTPWire", "HTTP2Wire", "Networking", "Routing", "Store", "TLS", "Proxy",
    ]

    static let allowed: [String: Set<String>] = [
        "Affinity": ["Synchronization"],
        "CLimpetLanes": [],
        "HTTPWire": ["CLimpetLanes"],
        "CLimpetH2": [],
        "HTTP2Wire": ["CLimpetH2"],
        "CLimpetRegex": [],
        "Routing": operatingSystem.union(["CLimpetRegex", "HTTPWire"]),
        "CLimpetRESP": [],
        "CLimpetCrypt": [],
        "CLimpetTickets": [],
        "Networking": transport.union(operatingSystem).union(["Synchronization"]),
        "TLS": operatingSystem.union(["CLimpetTickets", "NIOCore", "NIOSSL", "NIOTLS", "SwiftASN1", "Synchronization"]),
        "Store": transport.union(operatingSystem)
            .union(["Affinity", "CLimpetRESP", "Logging", "Networking", "Synchronization", "TLS"]),
        "Proxy": transport.union(operatingSystem)
            .union(["Affinity", "HTTPWire", "HTTP2Wire", "Networking", "Routing", "Store", "TLS"])
            .union(["CLimpetCrypt", "CLimpetTickets", "Crypto", "Logging", "NIOSSL", "NIOTLS", "SwiftASN1"])
            .union(["Synchronization"]),
        "Configuration":
            operatingSystem
            .union(["Affinity", "HTTPWire", "Proxy", "Routing", "Store", "TLS"])
            .union(["Crypto", "Foundation", "Synchronization", "Yams"]),
        "Control": parts.union(transport).union(operatingSystem)
            .union(["Configuration", "NIOHTTP1", "Crypto", "Foundation", "Logging", "Synchronization"])
            .union(["ServiceLifecycle", "UnixSignals"]),
        "limpet": ["Configuration", "Control", "ArgumentParser", "Foundation"],
        "simulate": ["LimpetTestKit", "Foundation", "Synchronization"],
        "LimpetTestKit": transport.union(operatingSystem)
            .union(["Affinity", "HTTP2Wire", "Store", "Foundation", "Logging", "NIOHTTP1", "Synchronization", "Yams"]),
    ]

    static let all: [FileRule] = [modules, hiredis, nghttp2, pcre2, boringssl]

    private static let modules = FileRule(
        "a module imports only what stands below it",
        broken: SourceFile("Sources/Affinity/Clock.swift", "package import Foundation\n"),
        kept: SourceFile("Sources/Affinity/Clock.swift", "import Synchronization\n")
    ) { file in
        guard let module = file.module, file.isSwift else { return [] }
        guard let allowed = allowed[String(module)] else { return ["\(file.path):1: there is no module \(module)"] }
        return file.faults { line in
            guard let imported = importedModule(line), !allowed.contains(imported) else { return nil }
            return "\(module) must not import \(imported)"
        }
    }

    /// Of `@testable package import struct Affinity.Binding`: Affinity.
    static func importedModule(_ line: Substring) -> String? {
        let words = line.split(separator: " ")
        guard let place = words.firstIndex(of: "import"),
            words[..<place].allSatisfy({
                $0.hasPrefix("@") || ["package", "public", "internal", "private", "fileprivate"].contains($0)
            })
        else { return nil }
        let kinds: Set<Substring> = ["struct", "class", "enum", "protocol", "func", "var", "let", "typealias"]
        let rest = words[(place + 1)...].drop { kinds.contains($0) }
        return rest.first?.split(separator: ".").first.map(String.init)
    }

    private static let hiredis = FileRule(
        "only CLimpetRESP touches hiredis",
        broken: SourceFile("Sources/Store/Reader.swift", "let reader = hiredisReaderCreate()\n"),
        kept: SourceFile("Sources/Store/Reader.swift", "/// What hiredis calls a reader.\nlet reader = 1\n")
    ) { file in
        guard file.isProduct, file.module != "CLimpetRESP" else { return [] }
        return file.faults { line in
            let isComment = line.drop { $0 == " " }.hasPrefix("//")
            return !isComment && line.lowercased().contains("hiredis") ? "hiredis is CLimpetRESP's alone" : nil
        }
    }

    private static let nghttp2 = FileRule(
        "only CLimpetH2 touches libnghttp2",
        broken: SourceFile("Sources/HTTP2Wire/Reader.swift", "let size = nghttp2_session_get_remote_window_size()\n"),
        kept: SourceFile("Sources/HTTP2Wire/Reader.swift", "/// What libnghttp2 calls a session.\nlet session = 1\n")
    ) { file in
        guard file.isProduct, file.module != "CLimpetH2" else { return [] }
        return file.faults { line in
            let isComment = line.drop { $0 == " " }.hasPrefix("//")
            return !isComment && line.contains("nghttp2_") ? "libnghttp2 is CLimpetH2's alone" : nil
        }
    }

    private static let boringssl = FileRule(
        "only CLimpetTickets touches BoringSSL",
        broken: SourceFile("Sources/Proxy/Reader.swift", "let version = CNIOBoringSSL_SSL_version()\n"),
        kept: SourceFile("Sources/Proxy/Reader.swift", "/// What CNIOBoringSSL calls a context.\nlet context = 1\n")
    ) { file in
        guard file.isProduct, file.module != "CLimpetTickets" else { return [] }
        return file.faults { line in
            let isComment = line.drop { $0 == " " }.hasPrefix("//")
            return !isComment && line.contains("CNIOBoringSSL") ? "BoringSSL is CLimpetTickets's alone" : nil
        }
    }

    private static let pcre2 = FileRule(
        "only CLimpetRegex touches PCRE2",
        broken: SourceFile("Sources/Routing/Pattern.swift", "let code = pcre2_compile_8()\n"),
        kept: SourceFile("Sources/Routing/Pattern.swift", "/// What PCRE2 compiled.\nlet code = 1\n")
    ) { file in
        guard file.isProduct, file.module != "CLimpetRegex" else { return [] }
        return file.faults { line in
            let isComment = line.drop { $0 == " " }.hasPrefix("//")
            return !isComment && line.lowercased().contains("pcre2") ? "PCRE2 is CLimpetRegex's alone" : nil
        }
    }
}
