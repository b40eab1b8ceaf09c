import Foundation
import LimpetTestKit
import Testing

@Suite("What limpet check prints")
struct CheckPageTests {
    @Test("for every mistake is on one page, Golden/check.txt (LIMPET_UPDATE_GOLDEN=1 writes it anew)")
    func page() async throws {
        let text = try String(contentsOfFile: CheckPage.path, encoding: .utf8)
        let page = CheckPage(text)
        let regenerated = try await Threads.run { try page.regenerated() }
        if ProcessInfo.processInfo.environment["LIMPET_UPDATE_GOLDEN"] != nil {
            try regenerated.write(toFile: CheckPage.path, atomically: true, encoding: .utf8)
            return
        }
        #expect(page.blocks.count > 250)
        let differences = zip(
            text.split(separator: "\n", omittingEmptySubsequences: false),
            regenerated.split(separator: "\n", omittingEmptySubsequences: false)
        ).filter { $0 != $1 }
        #expect(
            text == regenerated,
            "first at: \(differences.first.map { "\($0.0) | now: \($0.1)" } ?? "the end of the page")")
    }

    @Test("is a message that begins with its subject and has a place or a container")
    func form() throws {
        for case .check(_, _, let printed) in CheckPage(try String(contentsOfFile: CheckPage.path, encoding: .utf8))
            .blocks
        {
            let lines = printed.split(separator: "\n")
            #expect(!lines.isEmpty)
            for line in lines.dropLast() where !line.hasPrefix("    ") && !line.hasSuffix("^") {
                #expect(
                    line.hasPrefix("container ") || line.firstMatch(of: #/^(?:main|DIR)\S*: /#) != nil, "\(line)")
            }
        }
    }
}
