"""What people read: values turned into tables, trees and lines of text."""
