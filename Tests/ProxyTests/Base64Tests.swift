import Foundation
import Testing

@testable import Proxy

@Suite("Base64")
struct Base64Tests {
    private static func decode(_ text: String) -> [UInt8]? { Array(text.utf8).withUnsafeBytes { Base64.decode($0) } }
    private static func decodeURL(_ text: String) -> [UInt8]? {
        Array(text.utf8).withUnsafeBytes { Base64URL.decode($0) }
    }

    /// As Foundation writes it, without padding and with the letters of URLs.
    private static func url(_ text: String) -> String {
        text.replacing("=", with: "").replacing("+", with: "-").replacing("/", with: "_")
    }

    @Test("of every length and every letter is what Foundation makes of it, both ways")
    func roundTrip() {
        for count in 0..<70 {
            let bytes = (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 37 &+ count &* 11) }
            let text = Data(bytes).base64EncodedString()
            #expect(Self.decode(text) == bytes && String(decoding: Base64.encode(bytes), as: UTF8.self) == text)
            #expect(String(decoding: Base64URL.encode(bytes), as: UTF8.self) == Self.url(text))
            #expect(Self.decodeURL(Self.url(text)) == bytes)
        }
    }

    @Test("is one text for each sequence of bytes: all others of a length do not decode")
    func strict() {
        let alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
        let decoded = alphabet.flatMap { first in alphabet.compactMap { Self.decodeURL("\(first)\($0)") } }
        #expect(decoded.count == 256 && Set(decoded).count == 256)
        #expect(alphabet.allSatisfy { Self.decodeURL(String($0)) == nil })
    }

    @Test(
        "does not decode with other letters, too little or too much padding",
        arguments: [
            "YQ", "YQ=", "YQ===", "Y===", "====", "YWI", "YWJj=", "YWJjZA", "Y W=", "YQ==YQ==", "-_-_", "YR==", "YWJ=",
        ])
    func padding(_ text: String) {
        #expect(Self.decode(text) == nil)
    }

    @Test(
        "of URLs does not decode with padding or the letters of the other one",
        arguments: ["YQ==", "+/+/", "YWI=", "Y"])
    func urlLetters(_ text: String) {
        #expect(Self.decodeURL(text) == nil)
    }
}
