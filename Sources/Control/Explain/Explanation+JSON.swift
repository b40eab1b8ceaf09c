import Foundation

extension Explanation {
    /// For programs: one object, its keys sorted.
    package func json() throws -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .prettyPrinted, .withoutEscapingSlashes]
        return String(decoding: try encoder.encode(self), as: UTF8.self)
    }
}

extension AdminClient {
    /// What the admin listener says, as a value.
    func decoded<View: Decodable>(_ path: String, what: String) async throws(AdminClientError) -> View {
        let bytes = try await get(path)
        do {
            return try JSONDecoder().decode(View.self, from: Data(bytes))
        } catch {
            throw AdminClientError(url: url, problem: "answered with something else than \(what)")
        }
    }

    /// A name as it stands in a path or a query.
    static func escaped(_ name: String) -> String {
        name.addingPercentEncoding(withAllowedCharacters: .alphanumerics) ?? name
    }
}
